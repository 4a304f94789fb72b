import Bytes
import DiskImages
import Synchronization

/// What comes onto the target from elsewhere than the repository.
extension RestoreRun {
    func writeInserts() throws(RepositoryError) {
        let buffers = Buffers()
        for insert in inserts {
            try forEachPiece(of: insert) { place, kind throws(RepositoryError) in
                let (offset, count) = (place.lowerBound, Int(place.upperBound - place.lowerBound))
                guard kind == .data else { return try imaging { () throws(ImageError) in try target.writeZeros(at: insert.offset + offset, byteCount: UInt64(count), compare: buffers.compare) } }
                try read(insert, place, into: buffers.band)
                try imaging { () throws(ImageError) in try target.write(buffers.band, 0..<count, at: insert.offset + offset, compare: buffers.compare) }
            }
        }
    }

    func verifyInserts() throws(RepositoryError) {
        let buffers = Buffers()
        for insert in inserts {
            try forEachPiece(of: insert) { place, _ throws(RepositoryError) in
                try read(insert, place, into: buffers.band)
                try unsafe compare(buffers.band.base, insert.offset + place.lowerBound..<insert.offset + place.upperBound, buffers.compare)
            }
        }
    }

    /// In pieces that fit a worker's buffers.
    private func forEachPiece(of insert: ImageInsert, _ body: (Range<UInt64>, ImageExtent.Kind) throws(RepositoryError) -> Void) throws(RepositoryError) {
        var position: UInt64 = 0
        while position < insert.reader.byteCount {
            try cancellation.check()
            let extent = try imaging { () throws(ImageError) in try insert.reader.extent(at: position) }
            let end = min(extent.end, position + UInt64(RestoreTarget.pieceByteCount))
            try body(position..<end, extent.kind)
            progress.doneByteCount.add(end - position, ordering: .relaxed)
            position = end
        }
    }

    private func read(_ insert: ImageInsert, _ place: Range<UInt64>, into buffer: AlignedBuffer) throws(RepositoryError) {
        let count = Int(place.upperBound - place.lowerBound)
        let read = try imaging { () throws(ImageError) in
            try buffer.withMutableBytes(in: 0..<count) { bytes throws(ImageError) in try insert.reader.read(at: place.lowerBound, into: &bytes) }
        }
        guard read == count else { throw .invalid("what was to come to byte \(insert.offset) of \(targetName) ended too early") }
    }
}
