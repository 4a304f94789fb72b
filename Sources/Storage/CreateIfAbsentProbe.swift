import Bytes

extension StorageBackend {
    /// Tries out whether a name can really be taken only once: one after the other, and by eight threads at once, or as many as can be started.
    ///
    /// Every race of the repository (commit against abort, mark against mark, key change against key change) is settled by
    /// create-if-absent, and some servers and file systems accept the condition and overwrite all the same. `init` calls this
    /// after `prepare()`. The probes are objects `verified/probe.<random>`, which no reader takes for a record; they are
    /// deleted again, and one that a crash leaves behind is harmless.
    ///
    /// - Throws: `.failed` when the storage does not honour it; otherwise whatever the storage answers.
    public func verifyCreateIfAbsent() throws(StorageError) {
        let sequential = ObjectName.probe()
        let raced = ObjectName.probe()
        do throws(StorageError) {
            try probeSequentially(sequential)
            try probeRaced(raced)
        } catch {
            // The first failure is the one to report; a probe that cannot be deleted either is harmless.
            for probe in [sequential, raced] {
                do throws(StorageError) { try delete(probe) } catch { continue }
            }
            throw error
        }
        try delete(sequential)
        try delete(raced)
    }

    private func probeSequentially(_ probe: ObjectName) throws(StorageError) {
        guard try put(probe, probeBytes(0)) == .created else {
            throw unfit(probe, "a name that nobody has used is reported as taken")
        }
        guard try put(probe, probeBytes(1)) == .occupied else {
            throw unfit(probe, "a name that is taken could be taken again")
        }
        guard try get(probe, byteCountMax: 1024) == probeBytes(0) else {
            throw unfit(probe, "an object was overwritten although its name was taken")
        }
    }

    private func probeRaced(_ probe: ObjectName) throws(StorageError) {
        let results = raceThreads(count: 8) { index in
            Result { () throws(StorageError) in try self.put(probe, probeBytes(index)) }
        }
        guard results.count > 1 else {
            throw .unavailable(object: "\(place)/\(probe.path)", reason: "no second thread can be started to race for one name")
        }
        var winners: [Int] = []
        for (index, result) in results.enumerated() where try result.get() == .created { winners.append(index) }
        guard winners.count == 1 else {
            throw unfit(probe, "of \(results.count) that raced for one name, \(winners.count) were told that they won")
        }
        guard try get(probe, byteCountMax: 1024) == probeBytes(winners[0]) else {
            throw unfit(probe, "the object is not the one whose writer was told that it won")
        }
    }

    private func unfit(_ probe: ObjectName, _ reason: String) -> StorageError {
        .failed(
            object: "\(place)/\(probe.path)", operation: "the test of create-if-absent",
            reason: "\(reason); a repository on this storage would not be safe")
    }
}

extension ObjectName {
    fileprivate static func probe() -> ObjectName {
        let bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        return ObjectName(.verified, "probe.\(Hexadecimal.encode(bytes))")
    }
}

/// Of one length, so that a mixture of two writers' bytes would show.
private func probeBytes(_ writer: Int) -> [UInt8] {
    Array(repeating: UInt8(truncatingIfNeeded: writer + 1), count: 512)
}
