import Bytes
import RepositoryFormat
import Sealing
import Storage

/// Reading a few chunks of a segment that is stored raw, without the rest of it.
///
/// The tag covers the whole segment and is not looked at. Nothing unverified is given away for that: the id of a chunk is a keyed hash of its plaintext, and raw
/// bytes pass through no decoder before it is computed. Section: Specs/format/pack.md, “Directory”.
extension SegmentReader {
    /// What another read costs is worth this many bytes.
    private static let gapByteCountMax = 32 << 10

    /// Gives the chunks `wanted`, all of one segment, to `body`.
    ///
    /// - Returns: the numbers of those that were not found; nil if the segment is to be read whole.
    func withParts(
        _ chunks: [ChunkID], of wanted: ArraySlice<(number: Int, location: ChunkLocation)>, _ kind: PackDirectory.Kind,
        _ body: (Int, UnsafeRawBufferPointer) -> Void
    ) throws(PackingError) -> [Int]? {
        guard AuthenticatedCipher.opensParts, let first = wanted.first?.location else { return nil }
        let pack = index.pack(first.pack)
        guard pack.kind == kind, pack.epoch == sealer.member.epoch, Int(first.segment) < pack.segments.count, !isInMemory(first) else { return nil }
        let place = pack.segments[Int(first.segment)]
        let storedByteCount = Int(place.sealedByteCount) - PackLayout.segmentOverheadByteCount
        guard place.codec == .raw, storedByteCount <= PackLayout.segmentByteCount, wanted.allSatisfy({ $0.location.end <= storedByteCount }) else { return nil }
        let parts = SegmentParts(wanted.map(\.location), gapByteCountMax: SegmentReader.gapByteCountMax)
        guard parts.byteCount <= storedByteCount / 2 else { return nil }

        let memory = buffers.take(parts.byteCount, isKept: false)
        defer { withExtendedLifetime(memory) {} }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: memory.buffer.base, count: parts.byteCount)
        guard try unsafe fetch(parts, of: pack, Int(first.segment), into: bytes) else { return nil }
        let ids = unsafe sealer.member.chunkIDs(kind, parts.chunks, in: UnsafeRawBufferPointer(bytes))
        var rest: [Int] = []
        for ((number, _), (range, id)) in zip(wanted, zip(parts.chunks, ids)) {
            if id == chunks[number] { unsafe body(number, UnsafeRawBufferPointer(rebasing: bytes[range])) } else { rest.append(number) }
        }
        return rest
    }

    /// False if that cannot be: whoever reads the whole segment finds out why.
    private func fetch(_ parts: SegmentParts, of pack: PackRecord, _ number: Int, into bytes: UnsafeMutableRawBufferPointer) throws(PackingError) -> Bool {
        let place = pack.segments[number]
        var start = 0
        do throws(StorageError) {
            for run in parts.runs {
                var target = unsafe MutableSpan<UInt8>(_unsafeBytes: bytes[start..<start + run.count])
                try storage.get(pack.name, at: UInt64(Int(place.offset) + run.lowerBound), into: &target)
                start += run.count
            }
        } catch { return false }
        countFetched(byteCount: parts.byteCount, count: parts.runs.count)
        let key: OneTimeKey
        do throws(PackingError) {
            key = try opener.key(of: pack, number, salt: unsafe Digest(UnsafeMutableRawBufferPointer(rebasing: bytes[..<Digest.byteCount])))
        } catch .noDataKey { throw .noDataKey } catch { return false }
        start = 0
        for run in parts.runs {
            let ciphertext = max(run.lowerBound, Digest.byteCount)..<run.upperBound
            let end = start + run.count
            if !ciphertext.isEmpty {
                let target = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[end - ciphertext.count..<end])
                guard unsafe AuthenticatedCipher.openUnauthenticated(target, at: ciphertext.lowerBound - Digest.byteCount, key: key) else { return false }
            }
            start = end
        }
        return true
    }
}

/// What is read of a sealed segment: its salt, and the ciphertext of some chunks.
struct SegmentParts {
    private static let cipherBlockByteCount = 16

    /// Ranges of the sealed segment, in order; the first begins with the salt.
    private(set) var runs = [0..<Digest.byteCount]
    /// Where each chunk lies when the runs stand one behind the other.
    private(set) var chunks: [Range<Int>] = []
    private(set) var byteCount = Digest.byteCount

    /// - Parameter locations: of chunks of one segment, by their offsets.
    init(_ locations: [ChunkLocation], gapByteCountMax: Int) {
        for location in locations {
            let start = Digest.byteCount + Int(location.offset)
            let end = Digest.byteCount + location.end
            let last = runs[runs.count - 1]
            if start - last.upperBound <= gapByteCountMax {
                runs[runs.count - 1] = last.lowerBound..<max(last.upperBound, end)
            } else {
                runs.append(start / SegmentParts.cipherBlockByteCount * SegmentParts.cipherBlockByteCount..<end)
            }
            byteCount = runs.reduce(0) { $0 + $1.count }
            let distance = runs[runs.count - 1].upperBound - start
            chunks.append(byteCount - distance..<byteCount - distance + Int(location.byteCount))
        }
    }
}
