import Glibc
import Threading

// Simulation --seeds N [--first N] [--size-bound]    all seeds, on all cores
// Simulation --seed N [--trace] [--mutant NAME]      one seed, twice
// Simulation --mutants N                             each broken rule must be seen within N seeds

/// Reads a number that follows an option.
func number(_ option: String) -> UInt64? {
    guard let place = CommandLine.arguments.firstIndex(of: option) else { return nil }
    guard place + 1 < CommandLine.arguments.count, let value = UInt64(CommandLine.arguments[place + 1]) else {
        print("\(option) takes a number")
        exit(64)
    }
    return value
}

let campaign = Campaign(arguments: CommandLine.arguments)
campaign.hashAlike()
if let seed = number("--seed") {
    campaign.runOne(seed, isTraced: CommandLine.arguments.contains("--trace"))
} else if let count = number("--part") {
    campaign.runPart(first: number("--first") ?? 0, count: count, step: number("--step") ?? 1)
} else if let count = number("--seeds") {
    campaign.runAll(first: number("--first") ?? 0, count: count)
} else if let count = number("--mutants") {
    campaign.catchMutants(seedCount: count)
} else {
    print("usage: Simulation --seeds N [--first N] [--size-bound] | --seed N [--trace] [--mutant NAME] | --mutants N")
    exit(64)
}
