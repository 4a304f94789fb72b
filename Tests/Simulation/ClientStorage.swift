import Storage
import TestSupport

/// The storage as one client meets it: with faults, and with other clients going first.
struct ClientStorage: StorageBackend {
    let place = "simulation"
    let capabilities = StorageCapabilities(createsAtomically: true, listsConsistently: true)
    let world: World
    let client: Client

    private var storage: SimulatedStorage { world.storage }

    /// What becomes of a call.
    private enum Fate {
        case good
        case unavailable
        case replyLost
        /// The reply is lost, and the effect comes later.
        case delayed
        case repeated
    }

    func prepare() throws(StorageError) { preconditionFailure("the repository is there") }

    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        let object = [UInt8](copying: bytes)
        let operation = StorageOperation.put(name, byteCount: object.count)
        let effect = SimulatedStorage.Effect.put(name, object, by: client)
        let fate = try meet(operation, effect)
        client.folders.insert(SimulatedStorage.Folder(name))
        var outcome = storage.put(name, object, by: client)
        // The second request finds what the first has made.
        if fate == .repeated { outcome = .occupied }
        mutatePut(name, &outcome)
        try finish(operation, fate, outcome == .created ? 1 : 0)
        return outcome
    }

    func barrier() throws(StorageError) {
        let fate = try meet(.barrier, nil)
        if world.mutant != .noBarrier { storage.barrier(client.folders) }
        client.folders = []
        try finish(.barrier, fate, 0)
    }

    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        let fate = try meet(.get(name), nil)
        try finish(.get(name), fate, storage.objects[name]?.count ?? -1)
        return try CalmStorage(storage: storage, client: client).get(name, byteCountMax: byteCountMax)
    }

    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        let fate = try meet(.get(name), nil)
        try finish(.get(name), fate, Int(range.lowerBound))
        return try CalmStorage(storage: storage, client: client).get(name, range: range)
    }

    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        let fate = try meet(.stat(name), nil)
        let info = try CalmStorage(storage: storage, client: client).stat(name)
        if info != nil { client.folders.insert(SimulatedStorage.Folder(name)) }
        try finish(.stat(name), fate, info == nil ? 0 : 1)
        return info
    }

    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        let fate = try meet(.list(kind), nil)
        var names = storage.names(kind)
        // What comes or goes while the listing is made is in it or not.
        if world.draw(4) == 0 {
            world.baton.step()
            world.storage.advance()
            let after = storage.names(kind)
            if after != names {
                let before = names
                names = after
                for name in Set(before.keys).symmetricDifference(after.keys).sorted(by: { $0.leaf < $1.leaf }) {
                    names[name] = world.draw(2) == 0 ? nil : before[name] ?? after[name]
                }
                world.tally[.lateListings] += 1
            }
        }
        for (name, byteCount) in storage.ghosts(kind).sorted(by: { $0.key.leaf < $1.key.leaf }) where names[name] == nil && world.draw(2) == 0 {
            names[name] = byteCount
            world.tally[.lateListings] += 1
        }
        try finish(.list(kind), fate, names.count)
        let listing = names.map { ObjectInfo(name: $0.key, byteCount: UInt64($0.value)) }.sorted { $0.name.leaf < $1.name.leaf }
        defer { client.listings[kind] = listing }
        switch (world.mutant, kind) {
        case (.listsUnread, .condemned) where client.isWriter: return []
        case (.sessionsListedEarly, .sessions), (.snapshotsListedEarly, .snapshots): return client.earlyListings?[kind] ?? listing
        default: return listing
        }
    }

    /// What a mutant makes of a put that has taken effect.
    private func mutatePut(_ name: ObjectName, _ outcome: inout PutOutcome) {
        switch name.kind {
        case .sessions: client.isWriter = true
        case .condemned:
            if !name.leaf.hasSuffix(".verdict") { client.earlyListings = client.listings } else if world.mutant == .verdictIgnored { outcome = .created }
        case .snapshots: if world.mutant == .abortIgnored, client.isWriter { outcome = .created }
        default: break
        }
    }

    func delete(_ name: ObjectName) throws(StorageError) {
        let fate = try meet(.delete(name), .delete(name))
        client.folders.insert(SimulatedStorage.Folder(name))
        storage.delete(name)
        try finish(.delete(name), fate, 0)
    }

    // MARK: How

    /// The way of the request to the storage. `effect` is what it changes, if anything.
    private func meet(_ operation: StorageOperation, _ effect: SimulatedStorage.Effect?) throws(StorageError) -> Fate {
        world.baton.step()
        try live()
        world.storage.advance()
        world.passTime()
        let weather = world.weather
        world.tally[.operations] += 1
        if world.isEnding { return .good }
        if world.happens(weather.powerFailureRate) {
            world.failPower()
            throw Client.death
        }
        if world.happens(weather.sleepRate) {
            client.fallAsleep(until: world.baton.decisions + 50 + Int(world.draw(3000)))
            world.tally[.sleeps] += 1
            world.trace(client, operation, "falls asleep")
            try live()
        }
        world.lieInWait(client, operation)
        try live()
        if world.happens(weather.crashRate) {
            world.trace(client, operation, "dies")
            let moment = world.draw(3)
            if let effect, moment > 0 { moment == 1 ? act(effect) : storage.delay(effect, by: Int(world.draw(2000))) }
            world.kill(client)
            throw Client.death
        }
        if world.happens(weather.unavailableRate) {
            world.tally[.faults] += 1
            world.trace(client, operation, "is not answered")
            throw fault(operation)
        }
        guard let effect else { return world.happens(weather.lostReplyRate) ? .replyLost : .good }
        if world.happens(weather.lostReplyRate) {
            guard world.draw(3) == 0 else { return .replyLost }
            storage.delay(effect, by: Int(world.draw(1000)))
            world.trace(client, operation, "comes later")
            throw fault(operation)
        }
        if world.happens(weather.repeatRate) {
            world.tally[.repeatedRequests] += 1
            if world.draw(2) == 0 { storage.delay(effect, by: Int(world.draw(1000))) }
            return .repeated
        }
        return .good
    }

    private func act(_ effect: SimulatedStorage.Effect) {
        switch effect {
        case .put(let name, let bytes, _): _ = storage.put(name, bytes, by: client)
        case .delete(let name): storage.delete(name)
        }
    }

    /// The way of the reply back.
    private func finish(_ operation: StorageOperation, _ fate: Fate, _ result: Int) throws(StorageError) {
        world.release(by: client, operation)
        world.trace(client, operation, fate == .replyLost ? "is answered, but the reply is lost" : "is answered \(result)", result)
        if fate == .replyLost {
            world.tally[.lostReplies] += 1
            throw fault(operation)
        }
    }

    private func fault(_ operation: StorageOperation) -> StorageError {
        client.hasMetFault = true
        return .unavailable(object: "\(operation)", reason: "the weather")
    }

    /// Returns when the client is awake.
    private func live() throws(StorageError) {
        while !client.isDead, client.isAsleep {
            if let other = client.goesAfter, other.isDead { client.wakesAt = world.baton.decisions }
            let count = client.wakesAt - world.baton.decisions
            // Who waits for others looks up now and then.
            if count > 0 { world.baton.sleep(client.awaitedCount > 0 || client.goesAfter != nil ? min(count, 25) : count) }
            if world.baton.decisions >= client.wakesAt, client.isAsleep {
                client.isAsleep = false
                client.awaitedCount = 0
                world.passMonth()
            }
        }
        if client.isDead { throw Client.death }
    }
}
