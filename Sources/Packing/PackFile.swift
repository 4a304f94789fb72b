package import Bytes
package import RepositoryFormat
package import Sealing
package import Storage

/// Reading packs without an index: their directories, and whole packs for a check.
package struct PackFile: Sendable {
    private let storage: any StorageBackend
    private let sealer: DocumentSealer
    private let verifier: DocumentVerifier

    package init(storage: any StorageBackend, sealer: DocumentSealer, verifier: DocumentVerifier) {
        self.storage = storage
        self.sealer = sealer
        self.verifier = verifier
    }

    /// The directory within the bytes of a whole pack. Everything around the segments is verified: header, padding, directory, trailer.
    ///
    /// - Parameter verifiesName: whether the bytes must be those the name stands for. Who opens all segments, and knows from the index which directory
    ///   the name stands for, can do without: no byte is left that was not authenticated.
    package func directory(
        of object: [UInt8], named id: PackID, _ kind: PackDirectory.Kind, verifiesName: Bool = true
    ) throws(PackingError) -> PackDirectory {
        let name = (kind == .data ? ObjectName.pack(id) : .mapPack(id)).path
        if verifiesName {
            guard ObjectDigest.of(object) == id.digest else { throw .damaged(object: name, reason: "its bytes are not those its name stands for") }
        }
        guard object.count >= ObjectHeader.byteCount + PackLayout.trailerByteCount else { throw .damaged(object: name, reason: "it is too short") }
        let byteCount = try directoryByteCount(object.suffix(PackLayout.trailerByteCount), packByteCount: UInt64(object.count), name)
        let start = object.count - PackLayout.trailerByteCount - byteCount
        let directory = try open(
            object[start..<start + byteCount], header: object.prefix(ObjectHeader.byteCount), packByteCount: UInt64(object.count), kind, name)
        let segmentsEnd = directory.segments.last.map { Int($0.offset) + Int($0.sealedByteCount) } ?? ObjectHeader.byteCount
        guard object[segmentsEnd..<start].allSatisfy({ $0 == 0 }) else { throw .damaged(object: name, reason: "its padding is not zero") }
        return directory
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

    private func fetch(_ name: ObjectName, _ range: Range<UInt64>) throws(PackingError) -> [UInt8] {
        do throws(StorageError) { return try storage.get(name, range: range) } catch { throw .storage(error) }
    }

    /// Fetches a whole pack.
    package func fetch(_ name: ObjectName) throws(PackingError) -> [UInt8] {
        do throws(StorageError) {
            return try storage.get(name, byteCountMax: UInt64(FormatLimits.packByteCountMax))
        } catch { throw .storage(error) }
    }
}
