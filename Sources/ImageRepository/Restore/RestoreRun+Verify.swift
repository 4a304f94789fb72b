import Bytes
import DiskImages
import DiskLayout
import Glibc
import RepositoryFormat

/// The second pass of a restore, which reads back.
extension RestoreRun {
    /// Reads everything back and compares it with the snapshot, but for what is not in use. Where the target is known to be a hole, zeros are expected and nothing is read.
    func verify() throws(RepositoryError) {
        try forEachStep { step, buffers, _ throws(RepositoryError) in
            let map = try map(of: step)
            if let map {
                buffers.band.zero(step.bandRange)
                try unsafe BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band)
            }
            for part in step.parts(map, held: []) where part.content != .unused {
                var position = part.range.lowerBound
                while position < part.range.upperBound {
                    try cancellation.check()
                    let count = min(UInt64(RestoreTarget.pieceByteCount), part.range.upperBound - position)
                    let start = map == nil ? 0 : step.bandRange.lowerBound + Int(position)
                    if map == nil { buffers.band.zero(0..<Int(count)) }
                    let place = step.imageOffset + position
                    layLabel(over: place..<place + count, buffers.band, at: start)
                    try unsafe compare(buffers.band.base + start, place..<place + count, buffers.compare)
                    position += count
                }
            }
        }
        try verifyInserts()
        // It may lie where no volume does.
        for sectors in label {
            let expected = AlignedBuffer(byteCapacity: sectors.bytes.count)
            layLabel(over: sectors.range, expected, at: 0)
            try unsafe compare(expected.base, sectors.range, AlignedBuffer(byteCapacity: sectors.bytes.count + 2 * AlignedBuffer.alignment))
        }
    }

    /// Puts the bytes of the label where the buffer, which holds `place` from `start` on, has others.
    private func layLabel(over place: Range<UInt64>, _ buffer: AlignedBuffer, at start: Int) {
        for sectors in label {
            let range = sectors.range.clamped(to: place)
            guard !range.isEmpty else { continue }
            unsafe sectors.bytes.withUnsafeBytes { bytes in
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[Int(range.lowerBound - sectors.offset)..<Int(range.upperBound - sectors.offset)])
                unsafe buffer.copy(part, at: start + Int(range.lowerBound - place.lowerBound))
            }
        }
    }

    /// - Parameter place: no longer than the buffer.
    func compare(_ expected: UnsafeRawPointer, _ place: Range<UInt64>, _ buffer: AlignedBuffer) throws(RepositoryError) {
        let count = Int(place.upperBound - place.lowerBound)
        var start: Int? = 0
        if target.writer.isHole(place) {
            buffer.zero(0..<count)
        } else {
            start = try imaging { () throws(ImageError) in try target.readBlocks(of: place, into: buffer) }
        }
        guard let start, unsafe memcmp(buffer.base + start, expected, count) == 0 else { throw .verificationFailed(target: targetName, offset: place.lowerBound) }
    }
}
