import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast prune`
struct PruneCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Delete forgotten snapshots for good, and free what nothing needs any more.",
        discussion: """
            Every snapshot that is forgotten and not protected is gone for good, whoever forgot it. What is still needed of packs that hold too much \
            of what nobody needs, and of small ones if there are many, is copied to others.

            Backups may run meanwhile. Packs are condemned before they are deleted: backups that begin later do not count on them, and those that ran at this moment are \
            waited for. Where there are any, the prune stops, and says which: prune again when they have ended, or end one that hangs with “holdfast sessions --end”. \
            Sessions of this machine whose process is gone are ended at once, others of which its prunes have heard nothing for a day by the next prune. A prune may be interrupted at any moment; the next one goes on.
            """)

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup
    var pruning: PruningOptions

    @Flag(name: [.customShort("n"), .long], help: "Only show what would be deleted, repacked and kept.")
    var dryRun = false

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        if dryRun {
            let plan = try Operation(console: console, kind: .prune).run { _, cancellation throws(RepositoryError) in try repository.prunePlan(pruning.options, cancellation: cancellation) }
            console.print(PruneText.lines(plan))
            console.note("Nothing was done.")
            console.print(json: PruneText.json(plan))
            return .done
        }
        return try PruneText.prune(repository, pruning.options, console)
    }
}
