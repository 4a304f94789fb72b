package import Bytes
package import RepositoryFormat
package import Sealing
package import Storage

/// Reading packs without an index: their directories, and all of them for a check.
package struct PackFile: Sendable {
    /// Read at once, unless a single segment is larger.
    private static let pieceByteCountMax = 4 << 20

    private let storage: any StorageBackend
    private let sealer: DocumentSealer
    private let verifier: DocumentVerifier
    private let pieces = SegmentBuffers(byteCapacity: pieceByteCountMax)

    package init(storage: any StorageBackend, sealer: DocumentSealer, verifier: DocumentVerifier) {
        self.storage = storage
        self.sealer = sealer
        self.verifier = verifier
    }

    /// Reads a whole pack, some segments at a time, and verifies everything around the segments: header, padding, directory, trailer.
    ///
    /// - Parameters:
    ///   - verifiesName: whether the bytes must be those the name stands for. Who opens all segments, and knows from the index which directory
    ///     the name stands for, can do without: no byte is left that was not authenticated.
    ///   - begin: called with the directory, before anything else is read; what it returns is given to `segment`.
    ///   - segment: called with each segment's number and sealed bytes, which it may overwrite.
    package func readAll<Context>(
        _ pack: ObjectInfo, named id: PackID, _ kind: PackDirectory.Kind, verifiesName: Bool,
        begin: (PackDirectory) throws(PackingError) -> Context,
        segment: (Context, Int, SealedSegment) throws(PackingError) -> Void
    ) throws(PackingError) {
        let directory = try readDirectory(pack, kind)
        let context = try begin(directory)
        var digest = ObjectDigest()
        func fetchNext(_ range: Range<Int>) throws(PackingError) -> [UInt8] {
            let bytes = try fetch(pack.name, UInt64(range.lowerBound)..<UInt64(range.upperBound))
            if verifiesName { unsafe bytes.withUnsafeBytes { unsafe digest.update($0) } }
            return bytes
        }
        if verifiesName { _ = try fetchNext(0..<ObjectHeader.byteCount) }
        var end = ObjectHeader.byteCount
        var number = 0
        while number < directory.segments.count {
            let first = number
            let start = end
            repeat {
                end += Int(directory.segments[number].sealedByteCount)
                number += 1
            } while number < directory.segments.count && end - start + Int(directory.segments[number].sealedByteCount) <= PackFile.pieceByteCountMax
            let piece = try fetchPiece(pack.name, start..<end)
            if verifiesName { unsafe digest.update(UnsafeRawBufferPointer(start: piece.buffer.base, count: end - start)) }
            var offset = 0
            for number in first..<number {
                let next = offset + Int(directory.segments[number].sealedByteCount)
                try segment(context, number, SealedSegment(offset..<next, of: piece))
                offset = next
            }
        }
        // The directory comes a second time: only its place is not known outside `readDirectory`.
        let rest = try fetchNext(end..<Int(pack.byteCount))
        let byteCount = try directoryByteCount(rest.suffix(PackLayout.trailerByteCount), packByteCount: pack.byteCount, pack.name.path)
        guard rest.dropLast(PackLayout.trailerByteCount + byteCount).allSatisfy({ $0 == 0 }) else {
            throw .damaged(object: pack.name.path, reason: "its padding is not zero")
        }
        guard !verifiesName || digest.finish() == id.digest else {
            throw .damaged(object: pack.name.path, reason: "its bytes are not those its name stands for")
        }
    }

    /// Reads the directory of a pack without the rest. The pack's name is not verified: its chunks are when they are used.
    package func readDirectory(_ pack: ObjectInfo, _ kind: PackDirectory.Kind) throws(PackingError) -> PackDirectory {
        let name = pack.name.path
        let trailerByteCount = UInt64(PackLayout.trailerByteCount)
        guard pack.byteCount >= UInt64(ObjectHeader.byteCount) + trailerByteCount, pack.byteCount <= UInt64(FormatLimits.packByteCountMax) else {
            throw .damaged(object: name, reason: "it has \(pack.byteCount) bytes, which no pack has")
        }
        let trailerStart = pack.byteCount - trailerByteCount
        let trailer = try fetch(pack.name, trailerStart..<pack.byteCount)
        let byteCount = try directoryByteCount(trailer[...], packByteCount: pack.byteCount, name)
        let sealed = try fetch(pack.name, trailerStart - UInt64(byteCount)..<trailerStart)
        let header = try fetch(pack.name, 0..<UInt64(ObjectHeader.byteCount))
        return try open(sealed[...], header: header[...], packByteCount: pack.byteCount, kind, name)
    }

    /// The sealed bytes of a segment, after their digest was verified: they may be copied as they are, by whoever cannot open them too.
    package func readSegment(_ pack: ObjectName, _ segment: PackDirectory.Segment) throws(PackingError) -> [UInt8] {
        let bytes = try fetch(pack, UInt64(segment.offset)..<UInt64(segment.offset) + UInt64(segment.sealedByteCount))
        guard unsafe Mutant.copiesUnverified.isActive || bytes.withUnsafeBytes({ unsafe sealer.member.segmentDigest($0) }) == segment.digest else {
            throw .damaged(object: pack.path, reason: "the digest of the segment at byte \(segment.offset) does not fit")
        }
        return bytes
    }

    private func directoryByteCount(_ trailer: ArraySlice<UInt8>, packByteCount: UInt64, _ name: String) throws(PackingError) -> Int {
        do throws(FormatError) {
            return try PackLayout.directoryByteCount(trailer: trailer, packByteCount: packByteCount)
        } catch { throw .damaged(object: name, reason: "\(error)") }
    }

    private func open(
        _ sealed: ArraySlice<UInt8>, header: ArraySlice<UInt8>, packByteCount: UInt64, _ kind: PackDirectory.Kind, _ name: String
    ) throws(PackingError) -> PackDirectory {
        let binding = sealer.keyspaceBinding(kind.directoryType)
        let directory: PackDirectory
        do {
            let header = try ObjectHeader(of: header, expecting: kind.packType)
            let document = try sealer.openPart(sealed, salt: header.salt, epoch: header.epoch, binding)
            try verifier.verify(document, binding, .anySlot)
            directory = try PackDirectory(decoding: document.body)
        } catch { throw .damaged(object: name, reason: "its directory: \(error)") }
        let segmentsEnd = packByteCount - UInt64(PackLayout.trailerByteCount + sealed.count)
        guard directory.kind == kind, directory.epoch == sealer.member.epoch, directory.packByteCount == packByteCount,
            directory.segments.allSatisfy({ UInt64($0.offset) + UInt64($0.sealedByteCount) <= segmentsEnd })
        else { throw .damaged(object: name, reason: "its directory does not fit its size") }
        return directory
    }

    private func fetchPiece(_ name: ObjectName, _ range: Range<Int>) throws(PackingError) -> SegmentMemory {
        let piece = pieces.take(range.count)
        do throws(StorageError) {
            try piece.buffer.withMutableBytes(in: 0..<range.count) { bytes throws(StorageError) in try storage.get(name, at: UInt64(range.lowerBound), into: &bytes) }
        } catch { throw .storage(error) }
        return piece
    }

    private func fetch(_ name: ObjectName, _ range: Range<UInt64>) throws(PackingError) -> [UInt8] {
        do throws(StorageError) { return try storage.get(name, range: range) } catch { throw .storage(error) }
    }
}
