package import Bytes
package import RepositoryFormat
package import Sealing
package import Storage
import Threading

/// Gathers sealed segments into packs of one kind and stores them, on threads of its own, while the next is filled.
///
/// Life: `append` from any thread; `finish` once; then `confirmed` has all. Memory: three pack buffers, of which one is filled.
package final class PackWriter: Sendable {
    /// One computes the digest of a pack while the other waits for the storage.
    private static let threadCount = 2
    private static let bufferCount = threadCount + 1

    private struct Stored {
        var confirmed: [IndexDocument.Pack] = []
        var packCount = 0
        var storedByteCount: UInt64 = 0
    }

    private struct Open {
        var packs: FillingPacks
        var threads: [WorkerThread] = []
    }

    private let kind: PackDirectory.Kind
    private let sealer: DocumentSealer
    private let key: PackDirectory.Key?
    private let storage: any StorageBackend
    /// Has room for all packs that there can be.
    private let queue = BoundedQueue<FillingPack>(limit: bufferCount)
    /// Who appends waits here until a pack is open or a buffer free.
    private let open: Monitor<Open>
    private let stored = Monitor(Stored())
    private let failure = FirstFailure<PackingError>()
    private let onStored: @Sendable (UInt64) -> Void

    /// - Parameters:
    ///   - key: the session's data key; nil for map packs.
    ///   - closeByteCount: about how large packs become.
    ///   - onStored: called with the byte count of each pack that was stored.
    package init(
        _ kind: PackDirectory.Kind, sealer: DocumentSealer, key: PackDirectory.Key?, storage: any StorageBackend,
        closeByteCount: Int? = nil, onStored: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) {
        precondition((kind == .data) == (key != nil), "data packs have a session key, map packs none")
        self.kind = kind
        self.sealer = sealer
        self.key = key
        self.storage = storage
        self.onStored = onStored
        let closeByteCount = closeByteCount ?? (kind == .data ? PackLayout.dataPackByteCount : PackLayout.mapPackByteCount)
        // One segment beyond the closing size, the directory, and the padding.
        let capacity = closeByteCount + FormatLimits.segmentByteCountMax + 2 * PackLayout.smallSegmentStep + FormatLimits.directoryByteCountMax / 2
        let buffers = (0..<PackWriter.bufferCount).map { _ in AlignedBuffer(byteCapacity: capacity) }
        open = Monitor(Open(packs: FillingPacks(closeByteCount: closeByteCount, buffers: buffers)))
        let threads = startThreads()
        open.withLock { $0.threads = threads }
    }

    /// Without any the writer has failed: nobody would give buffers back.
    private func startThreads() -> [WorkerThread] {
        var threads: [WorkerThread] = []
        do throws(ThreadError) {
            for _ in 0..<PackWriter.threadCount { threads.append(try WorkerThread("pack writer") { [self] in storeAll() }) }
        } catch {
            if threads.isEmpty { failure.record(.noThread(reason: "\(error)")) }
        }
        return threads
    }

    /// Takes a segment that `seal` writes with the session's key, or a map segment, and returns the digest of. The record's offset and digest are set here.
    ///
    /// - Parameter seal: called once with `record.sealedByteCount` bytes of the pack, beside others that write theirs.
    package func append(_ record: PackDirectory.Segment, seal: (UnsafeMutableRawBufferPointer) -> RandomID) throws(PackingError) {
        try unsafe append(record, key, seal: seal)
    }

    /// Takes a segment of another pack as it is: sealed with that session's `key`, nil for a map segment. Its record's offset and key index are set here.
    package func append(_ sealed: UnsafeRawBufferPointer, _ record: PackDirectory.Segment, _ key: PackDirectory.Key?) throws(PackingError) {
        precondition(sealed.count == Int(record.sealedByteCount), "a segment is as long as its record says")
        try unsafe append(record, key) { place in
            unsafe place.copyMemory(from: sealed)
            return record.digest
        }
    }

    private func append(_ record: PackDirectory.Segment, _ key: PackDirectory.Key?, seal: (UnsafeMutableRawBufferPointer) -> RandomID) throws(PackingError) {
        precondition((kind == .data) == (key != nil), "data segments have a session key, map segments none")
        try failure.check()
        let place = open.wait { state in
            defer { queueComplete(&state) }
            return state.packs.reserve(record, key)
        }
        let digest = unsafe seal(UnsafeMutableRawBufferPointer(start: place.buffer.base + place.offset, count: Int(record.sealedByteCount)))
        open.withLock { state in
            state.packs.complete(place, digest)
            queueComplete(&state)
        }
    }

    /// Stores the last pack and returns when all are stored. To be called once, also after a failure.
    package func finish() throws(PackingError) {
        let threads = open.wait { state -> [WorkerThread]? in
            state.packs.close()
            queueComplete(&state)
            guard !state.packs.isAnyUnwritten else { return nil }
            defer { state.threads = [] }
            return state.threads
        }
        queue.close()
        for thread in threads { thread.join() }
        try failure.check()
    }

    /// Packs stored since the last call. Their bytes are durable, their names are after the next barrier.
    package func takeConfirmed() -> [IndexDocument.Pack] {
        stored.withLock { state in
            defer { state.confirmed = [] }
            return state.confirmed
        }
    }

    package var packCount: Int { stored.withLock { $0.packCount } }
    package var storedByteCount: UInt64 { stored.withLock { $0.storedByteCount } }

    private func queueComplete(_ state: inout Open) {
        for pack in state.packs.takeComplete() where !queue.put(pack) { state.packs.giveBack(pack.buffer) }
    }

    private func storeAll() {
        while let filling = queue.take() {
            // After a failure packs are only taken out of the way, so that nobody waits for a buffer.
            if failure.value == nil {
                do throws(PackingError) {
                    try store(filling)
                } catch { failure.record(error) }
            }
            open.withLock { $0.packs.giveBack(filling.buffer) }
        }
    }

    /// Adds padding, directory, trailer and header, and stores the pack under its digest.
    private func store(_ filling: FillingPack) throws(PackingError) {
        let (buffer, segmentsEnd) = (filling.buffer, filling.byteCount)
        var directory = PackDirectory(kind: kind, epoch: sealer.member.epoch, packByteCount: 0, keys: filling.keys, segments: filling.segments)
        let sealedByteCount = SignedDocument.bodyOffset + PackLayout.tagByteCount
            + PackDirectory.encodedByteCount(keys: filling.keys, segmentCount: filling.segments.count, chunkCount: filling.chunkCount)
        let total = PackLayout.padme(segmentsEnd + sealedByteCount + PackLayout.trailerByteCount)
        directory.packByteCount = UInt64(total)
        let (salt, sealed) = sealer.sealPart(directory.encoded, sealer.keyspaceBinding(kind.directoryType))
        precondition(sealed.count == sealedByteCount && total <= buffer.byteCapacity, "the directory has the size that was planned")
        let directoryStart = total - PackLayout.trailerByteCount - sealed.count
        buffer.zero(segmentsEnd..<directoryStart)
        var trailer = ByteWriter()
        trailer.write(UInt32(sealed.count))
        trailer.write(PackLayout.trailerMagic)
        let header = ObjectHeader(type: kind.packType, epoch: sealer.member.epoch, salt: salt).encoded
        unsafe header.withUnsafeBytes { unsafe buffer.copy($0, at: 0) }
        unsafe sealed.withUnsafeBytes { unsafe buffer.copy($0, at: directoryStart) }
        unsafe trailer.bytes.withUnsafeBytes { unsafe buffer.copy($0, at: directoryStart + sealed.count) }

        var digest = ObjectDigest()
        unsafe digest.update(UnsafeRawBufferPointer(start: buffer.base, count: total))
        let id = PackID(digest.finish())
        do throws(StorageError) {
            // Occupied is as good: the name is the digest of the bytes.
            _ = try buffer.withBytes(byteCount: total) { bytes throws(StorageError) in
                try storage.put(kind == .data ? .pack(id) : .mapPack(id), bytes)
            }
        } catch { throw .storage(error) }
        stored.withLock { state in
            state.confirmed.append(IndexDocument.Pack(id: id, directory: directory))
            state.packCount += 1
            state.storedByteCount += UInt64(total)
        }
        onStored(UInt64(total))
    }
}
