import CLinux
import CCampaignSodium
import CrashTrials
import Glibc
import TestSupport
import Threading

// CrashPoints [--operation NAME] [--position N] [--fault NAME] [--seed N] [--every N]
//
// Interrupts every operation of a repository at every call of its storage, in every way, and examines all that the storage may hold then
// (Tests/CrashTrials). Prints what was examined; every failure is printed with the options that repeat it. Ends with status 1 if there is one.

@main struct CrashPoints {
    static func main() throws {
        holdfast_keep_large_blocks()
        holdfast_use_campaign_sodium()
        let options = try CampaignOptions(CommandLine.arguments.dropFirst())
        var campaign = Campaign(options)
        for operation in options.operations { try campaign.run(operation) }
        print(campaign.summary)
        exit(campaign.isPassed ? 0 : 1)
    }
}
