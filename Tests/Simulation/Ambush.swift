import Storage
import TestSupport

/// Who is about to do one thing falls asleep until others have done another: what two clients must not do to each other shows between two such moments,
/// which chance alone rarely brings together.
struct Ambush {
    /// What is done to which kind of object.
    struct Moment: Equatable {
        enum Verb { case put, decide, get, stat, delete, list }

        let verb: Verb
        let kind: ObjectKind

        init(_ verb: Verb, _ kind: ObjectKind) {
            self.verb = verb
            self.kind = kind
        }

        /// - Returns: nil for what concerns no kind of object.
        init?(_ operation: StorageOperation) {
            switch operation {
            case .put(let name, _): self.init(name.leaf.hasSuffix(".verdict") ? .decide : .put, name.kind)
            case .get(let name): self.init(.get, name.kind)
            case .stat(let name): self.init(.stat, name.kind)
            case .delete(let name): self.init(.delete, name.kind)
            case .list(let kind): self.init(.list, kind)
            case .barrier, .prepare: return nil
            }
        }

        /// Those between which the order matters.
        static let all: [Moment] =
            [.put, .list, .delete].flatMap { verb in [.sessions, .condemned, .index, .packs, .snapshots].map { Moment(verb, $0) } }
            + [Moment(.decide, .condemned), Moment(.put, .marks), Moment(.list, .marks), Moment(.get, .index), Moment(.get, .condemned), Moment(.stat, .packs)]
    }

    /// Those that Specs/ordering.md is about.
    static let known: [(place: Moment, release: Moment)] = [
        // A pruner, and a writer who has read what there is, or says for the first time that it is there.
        (Moment(.delete, .packs), Moment(.list, .packs)), (Moment(.put, .condemned), Moment(.list, .packs)), (Moment(.decide, .condemned), Moment(.put, .snapshots)),
        (Moment(.list, .index), Moment(.put, .index)), (Moment(.put, .snapshots), Moment(.put, .condemned)),
        // Two pruners.
        (Moment(.decide, .condemned), Moment(.decide, .condemned)), (Moment(.delete, .packs), Moment(.put, .condemned)), (Moment(.list, .snapshots), Moment(.put, .condemned)),
        // A pruner, and somebody who thinks better of it.
        (Moment(.put, .marks), Moment(.put, .marks)), (Moment(.put, .condemned), Moment(.put, .marks)),
    ]

    let place: Moment
    let release: Moment
    /// Whether who brings the release then waits until who lay in wait has ended.
    let givesWay: Bool

    init(using generator: inout SeededGenerator) {
        func choice<Element>(_ elements: [Element]) -> Element { elements[Int(generator.next() % UInt64(elements.count))] }
        (place, release) = choice([true, false]) ? choice(Ambush.known) : (choice(Moment.all), choice(Moment.all))
        givesWay = choice([true, true, false])
    }
}

extension World {
    /// A client is about to do something: it may have to wait until others have done what the ambush waits for.
    func lieInWait(_ client: Client, _ operation: StorageOperation) {
        guard let ambush = weather.ambush, Ambush.Moment(operation) == ambush.place else { return }
        // At one of the times at which it comes to the place.
        let timesBefore = client.timesUntilAmbush ?? Int(draw(8))
        client.timesUntilAmbush = timesBefore - 1
        guard timesBefore == 0 else { return }
        client.awaitedCount = 1 + Int(draw(3))
        client.fallAsleep(until: baton.decisions + 20_000)
        tally[.ambushes] += 1
        trace(client, operation, "lies in wait")
    }

    /// A client has done something, for which others may have lain in wait.
    func release(by client: Client, _ operation: StorageOperation) {
        guard let ambush = weather.ambush, Ambush.Moment(operation) == ambush.release else { return }
        for other in clients where other !== client && !other.isDead && other.awaitedCount > 0 {
            other.awaitedCount -= 1
            guard other.awaitedCount == 0 else { continue }
            other.wakesAt = baton.decisions
            tally[.ambushesReleased] += 1
            guard ambush.givesWay, client.goesAfter == nil else { continue }
            client.goesAfter = other
            client.fallAsleep(until: baton.decisions + 20_000)
        }
    }
}
