import ArgumentParser
import ImageRepository

/// How far a prune goes.
struct PruningOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "Share of a pack that may hold what nobody needs, 5 unless given; above it, what is needed is copied, and the rest freed. Segments above it are opened, which takes a key that reads data.",
        valueName: "percent"), transform: ArgumentValues.unusedPercent)
    var maxUnused: Double?

    @Option(help: ArgumentHelp("Copy no more than that; 0 deletes only what needs no copying. Unless given: as much as it takes, and as there is room for.", valueName: "size"),
            transform: ArgumentValues.byteCount)
    var maxRepack: UInt64?

    @Option(help: ArgumentHelp("End a session of which the prunes of this machine have heard nothing for so long, 24h unless given; “never” waits for it for ever.", valueName: "time"),
            transform: ArgumentValues.silence)
    var endSilent: ArgumentValues.Silence?

    var isEmpty: Bool { maxUnused == nil && maxRepack == nil && endSilent == nil }

    var options: PruneOptions {
        var options = PruneOptions()
        if let maxUnused { options.unusedPercentMax = maxUnused }
        options.repackByteCountMax = maxRepack
        switch endSilent {
        case .never: options.silentAfter = nil
        case .seconds(let seconds): options.silentAfter = seconds
        case nil: break
        }
        return options
    }
}
