import TestSupport

/// What goes wrong in a run, and how often: drawn from the seed, so that some runs are calm, and what is rare meets what is frequent.
///
/// Rates are one in so many storage calls; 0 is never.
struct Weather {
    /// A local disk, whose names a power failure may lose before a barrier; else an object store, where everything is durable at once.
    let isLocalDisk: Bool
    /// The call fails and nothing has happened.
    let unavailableRate: UInt64
    /// The call fails, and it has happened, or will later.
    let lostReplyRate: UInt64
    /// A request arrives twice, and the second reply is the one that is seen.
    let repeatRate: UInt64
    /// The client dies before or after a call, or with the call still on its way.
    let crashRate: UInt64
    /// The client stops for a month.
    let sleepRate: UInt64
    let ambush: Ambush?
    /// All clients die, and names without a barrier are lost or not.
    let powerFailureRate: UInt64
    /// Deletions are seen late by listings.
    let listsLate: Bool
    let habit: Baton.Habit
    let hasWideImages: Bool
    let compressionLevel: Int?
    let threadCount: Int
    /// Decisions that actors pause for between two things they do, at most: short pauses crowd them, long ones let each finish alone.
    let pause: UInt64

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed ^ 0x5EED)
        func rate(_ choices: UInt64...) -> UInt64 { choices[Int(generator.next() % UInt64(choices.count))] }
        isLocalDisk = rate(0, 1, 1) == 0
        let isCalm = rate(0, 1, 2, 3, 4, 5) == 0
        unavailableRate = isCalm || isLocalDisk ? 0 : rate(0, 2000, 500)
        lostReplyRate = isCalm || isLocalDisk ? 0 : rate(0, 300, 60)
        repeatRate = isCalm || isLocalDisk ? 0 : rate(0, 100, 20)
        crashRate = isCalm ? 0 : rate(0, 1000, 400, 150)
        sleepRate = isCalm ? 0 : rate(0, 1000, 300)
        ambush = isCalm || rate(0, 1, 1, 1) == 0 ? nil : Ambush(using: &generator)
        powerFailureRate = isLocalDisk ? rate(0, 3000, 1000) : 0
        listsLate = !isLocalDisk && rate(0, 1) == 1
        habit = Baton.Habit(stickiness: rate(0, 500, 900, 970), monitorRate: rate(16, 64, 512), hasPriorities: rate(0, 0, 1) == 1)
        hasWideImages = rate(0, 0, 0, 0, 0, 0, 0, 1) == 1
        compressionLevel = rate(0, 1) == 0 ? nil : 1
        threadCount = Int(rate(1, 2, 3))
        pause = rate(1000, 5000, 20_000)
    }
}
