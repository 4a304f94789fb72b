import DiskImages

/// Extents of an image for one who goes through it in order: each is asked for once.
struct ExtentCursor {
    private let reader: any ImageReader
    private var start: UInt64 = 0
    private var known: ImageExtent?

    init(_ reader: any ImageReader) { self.reader = reader }

    mutating func extent(at offset: UInt64) throws(RepositoryError) -> ImageExtent {
        if let known, offset >= start, offset < known.end { return known }
        let found = try imaging { () throws(ImageError) in try reader.extent(at: offset) }
        (start, known) = (offset, found)
        return found
    }
}
