import Bytes
import Storage

extension StorageBackend {
    /// Puts an object whose name decides a race, and makes the name durable.
    ///
    /// After a passing fault the same bytes are put again, because the reply may have been lost and the object be there. A name that holds
    /// exactly these bytes was created by this caller: what races for a name is signed or sealed with a salt of its own.
    func claim(_ name: ObjectName, _ object: [UInt8]) throws(StorageError) -> PutOutcome {
        var outcome = try putPersistently(name, object)
        if outcome == .occupied, try holds(name, object) { outcome = .created }
        if !Mutant.acknowledgesBeforeBarrier.isActive { try barrier() }
        return outcome
    }

    /// As `claim`, for what helps to make room: on a full device the reserve is given away for it.
    func claimWithReserve(_ name: ObjectName, _ object: [UInt8]) throws(StorageError) -> PutOutcome {
        do throws(StorageError) { return try claim(name, object) } catch {
            guard case .full = error, try releaseReserve() else { throw error }
        }
        return try claim(name, object)
    }

    /// What is gone by now is not held: somebody else has finished with it.
    private func holds(_ name: ObjectName, _ object: [UInt8]) throws(StorageError) -> Bool {
        guard try stat(name)?.byteCount == UInt64(object.count) else { return false }
        do throws(StorageError) { return try get(name, byteCountMax: UInt64(object.count)) == object } catch {
            guard case .notFound = error else { throw error }
            return false
        }
    }

    private func putPersistently(_ name: ObjectName, _ object: [UInt8]) throws(StorageError) -> PutOutcome {
        for _ in 0..<2 {
            do throws(StorageError) { return try put(name, object.span) } catch { guard error.isRetryable else { throw error } }
        }
        return try put(name, object.span)
    }
}
