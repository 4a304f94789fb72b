import Bytes
public import DiskImages
import Packing
public import RepositoryFormat
import Synchronization

/// An image in a repository, read at random places as if it were a disk. Safe to use from several threads.
///
/// Everything read is verified. What is unused, excluded or unreadable reads as zeros.
public final class RepositoryImageReader: ImageReader {
    private struct Volume: Sendable {
        var imageRange: Range<UInt64>
        /// Where the placement begins in the volume's own address space.
        var volumeOffset: UInt64
        var tree: MapTreeReader
    }

    private struct CachedMap {
        var tree: ObjectIdentifier
        var band: UInt64
        var map: BandMap
    }

    /// Band maps of some 30 KiB, so that neighbouring reads find theirs.
    private static let cachedMapCount = 16

    public let byteCount: UInt64
    private let name: String
    private let volumes: [Volume]
    private let assembler: BandAssembler
    private let maps = Mutex<[CachedMap]>([])

    init(_ image: ImageRecord, _ reader: SegmentReader) {
        byteCount = image.byteCount
        name = image.name
        assembler = BandAssembler(reader: reader)
        let volumes = image.placements.filter { $0.byteCount > 0 }.map { place in
            Volume(
                imageRange: place.offset..<place.offset + place.byteCount, volumeOffset: place.volumeOffset,
                tree: MapTreeReader(reader, root: place.volume.root, geometry: place.volume.geometry))
        }
        self.volumes = volumes.sorted { $0.imageRange.lowerBound < $1.imageRange.lowerBound }
    }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        do throws(RepositoryError) {
            let (volume, position) = place(offset)
            let bandByteCount = UInt64(FormatLimits.bandByteCount)
            let run = try volume.tree.run(at: position / bandByteCount)
            var end = min((run.firstBand + run.bandCount) * bandByteCount, volume.tree.geometry.byteCount)
            var kind = ImageExtent.Kind.zero
            if run.slot.kind == .map {
                let map = try map(volume.tree, run.firstBand)
                var entryEnd = run.firstBand * bandByteCount
                for entry in map.entries {
                    entryEnd += UInt64(entry.byteCount)
                    guard entryEnd > position else { continue }
                    kind = entry.kind == .data ? .data : .zero
                    break
                }
                end = entryEnd
            }
            return ImageExtent(kind: kind, end: min(offset + (end - position), volume.imageRange.upperBound))
        } catch { throw .failed(path: name, operation: "reading the map", reason: "\(error)") }
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let count = bytes.count
        guard offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw .unsuitable(path: name, reason: "a read of \(count) bytes at \(offset) goes beyond its end")
        }
        do throws(RepositoryError) {
            try unsafe bytes.withUnsafeMutableBytes { buffer throws(RepositoryError) in
                var position = 0
                while position < count {
                    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[position...])
                    position += unsafe try readPiece(at: offset + UInt64(position), into: target)
                }
            }
        } catch { throw .failed(path: name, operation: "reading at byte \(offset)", reason: "\(error)") }
        return count
    }

    /// Reads up to the end of a band or a placement; at least one byte.
    private func readPiece(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(RepositoryError) -> Int {
        let (volume, position) = place(offset)
        let band = position / UInt64(FormatLimits.bandByteCount)
        let inBand = Int(position % UInt64(FormatLimits.bandByteCount))
        let map = try map(volume.tree, band)
        let limit = min(target.count, volume.tree.geometry.bandByteCount(band) - inBand, Int(clamping: volume.imageRange.upperBound - offset))
        var entryStart = 0
        for entry in map.entries {
            let entryEnd = entryStart + Int(entry.byteCount)
            let wanted = max(entryStart, inBand)..<max(max(entryStart, inBand), min(entryEnd, inBand + limit))
            if !wanted.isEmpty {
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: target[(wanted.lowerBound - inBand)..<(wanted.upperBound - inBand)])
                unsafe try assembler.copy(entry, from: wanted.lowerBound - entryStart, to: part)
            }
            entryStart = entryEnd
            if entryStart >= inBand + limit { break }
        }
        return limit
    }

    private func place(_ offset: UInt64) -> (Volume, UInt64) {
        guard let volume = volumes.first(where: { $0.imageRange.contains(offset) }) else {
            preconditionFailure("the offset lies within the image, which its volumes cover")
        }
        return (volume, volume.volumeOffset + (offset - volume.imageRange.lowerBound))
    }

    private func map(_ tree: MapTreeReader, _ band: UInt64) throws(RepositoryError) -> BandMap {
        let key = ObjectIdentifier(tree)
        if let known = maps.withLock({ maps in maps.first { $0.tree == key && $0.band == band }?.map }) { return known }
        let map = try tree.bandMap(band)
        maps.withLock { maps in
            if maps.count >= RepositoryImageReader.cachedMapCount { maps.removeFirst() }
            maps.append(CachedMap(tree: key, band: band, map: map))
        }
        return map
    }
}

extension Repository {
    /// Random access to an image of a snapshot.
    ///
    /// - Throws: `.notPermitted` for a key of role backup, which opens no data.
    public func reader(for image: ImageRecord) throws(RepositoryError) -> RepositoryImageReader {
        try demand(.full, to: "read data back")
        return RepositoryImageReader(image, segmentReader(try loadIndex(adoptsOrphans: true).index))
    }
}
