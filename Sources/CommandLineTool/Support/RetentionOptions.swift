import ArgumentParser
import ImageRepository

/// Which snapshots are kept, in the words of `forget`.
struct RetentionOptions: ParsableArguments {
    @Option(help: "Keep that many of the newest.", transform: ArgumentValues.snapshotCount)
    var keepLast: Int?

    @Option(help: "Keep the newest of each of the last so many hours that have one.", transform: ArgumentValues.snapshotCount)
    var keepHourly: Int?

    @Option(help: "The same for days.", transform: ArgumentValues.snapshotCount)
    var keepDaily: Int?

    @Option(help: "The same for weeks; they begin on Monday.", transform: ArgumentValues.snapshotCount)
    var keepWeekly: Int?

    @Option(help: "The same for months.", transform: ArgumentValues.snapshotCount)
    var keepMonthly: Int?

    @Option(help: "The same for years.", transform: ArgumentValues.snapshotCount)
    var keepYearly: Int?

    @Option(help: ArgumentHelp("Keep all that are younger than that, counted from the newest of the group: 30d, 1y6m, 2w, 12h.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithin: RetentionSpan?

    @Option(help: ArgumentHelp("Keep the newest of each hour within that span.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithinHourly: RetentionSpan?

    @Option(help: ArgumentHelp("The same for days.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithinDaily: RetentionSpan?

    @Option(help: ArgumentHelp("The same for weeks.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithinWeekly: RetentionSpan?

    @Option(help: ArgumentHelp("The same for months.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithinMonthly: RetentionSpan?

    @Option(help: ArgumentHelp("The same for years.", valueName: "span"), transform: ArgumentValues.span)
    var keepWithinYearly: RetentionSpan?

    @Option(name: .customLong("keep-tag"), help: ArgumentHelp("Keep all with that tag; may be repeated, and one of them is enough.", valueName: "tag"))
    var keepTags: [String] = []

    @Option(
        help: ArgumentHelp("What makes a group, of which each keeps what the policy says: any of host, image, key, separated by commas, or none.", valueName: "list"),
        transform: ArgumentValues.grouping)
    var groupBy: RetentionGrouping?

    var policy: RetentionPolicy {
        let counts: [(RetentionPeriod, Int?)] = [
            (.hourly, keepHourly), (.daily, keepDaily), (.weekly, keepWeekly), (.monthly, keepMonthly), (.yearly, keepYearly),
        ]
        let spans: [(RetentionPeriod, RetentionSpan?)] = [
            (.hourly, keepWithinHourly), (.daily, keepWithinDaily), (.weekly, keepWithinWeekly), (.monthly, keepWithinMonthly), (.yearly, keepWithinYearly),
        ]
        return RetentionPolicy(
            last: keepLast, counts: Dictionary(uniqueKeysWithValues: counts.compactMap { period, count in count.map { (period, $0) } }), within: keepWithin,
            periodsWithin: Dictionary(uniqueKeysWithValues: spans.compactMap { period, span in span.map { (period, $0) } }), tags: keepTags)
    }

    var grouping: RetentionGrouping { groupBy ?? [.host, .image] }
}
