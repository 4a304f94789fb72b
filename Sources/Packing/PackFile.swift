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

    /// The directory within the bytes of a whole pack, whose name and byte count are verified as well.
    package func directory(of object: [UInt8], named id: PackID, _ kind: PackDirectory.Kind) throws(PackingError) -> PackDirectory {
        let name = (kind == .data ? ObjectName.pack(id) : .mapPack(id)).path
        guard ObjectDigest.of(object) == id.digest else { throw .damaged(object: name, reason: "its bytes are not those its name stands for") }
        do throws(FormatError) {
            let header = try ObjectHeader(of: object[...], expecting: kind.packType)
            guard object.count >= ObjectHeader.byteCount + PackLayout.trailerByteCount else { throw .layout(.truncated(field: "trailer")) }
            let trailer = object[(object.count - PackLayout.trailerByteCount)...]
            let byteCount = try PackLayout.directoryByteCount(trailer: trailer, packByteCount: UInt64(object.count))
            let start = object.count - PackLayout.trailerByteCount - byteCount
            let binding = sealer.keyspaceBinding(kind.directoryType)
            let document: SignedDocument
            do throws(SealingError) {
                document = try sealer.openPart(object[start..<start + byteCount], salt: header.salt, epoch: header.epoch, binding)
                try verifier.verify(document, binding, .anySlot)
            } catch { throw .member("directory: \(error)") }
            let directory = try PackDirectory(decoding: document.body)
            guard directory.kind == kind, directory.packByteCount == UInt64(object.count) else { throw .layout(.invalid(field: "pack byte count")) }
            guard directory.segments.allSatisfy({ Int($0.offset) + Int($0.sealedByteCount) <= start }) else {
                throw .layout(.outOfBounds(field: "segment offset"))
            }
            return directory
        } catch { throw .damaged(object: name, reason: "\(error)") }
    }

    /// Fetches a whole pack.
    package func fetch(_ name: ObjectName) throws(PackingError) -> [UInt8] {
        do throws(StorageError) {
            return try storage.get(name, byteCountMax: UInt64(FormatLimits.packByteCountMax))
        } catch { throw .storage(error) }
    }
}
