import ArgumentParser
import ImageRepository
import RepositoryFormat

/// `holdfast repair`
struct RepairCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Mend what is damaged, and list what is lost.",
        discussion: """
            Looks for damage as “holdfast check” does. Packs that no index object names are put into the index again; damaged packs are condemned, so that the next \
            backup of a source that still has the data stores it again, which heals old snapshots too; damaged index objects, sessions and condemned lists are copied \
            into the folder “quarantine” of the repository and taken away. No pack is ever moved or deleted. What cannot be restored of which \
            snapshot is listed byte by byte. Exit status 1: something is lost, or had to be left. May be interrupted, and run beside backups.
            """)

    @OptionGroup
    var inspection: InspectionOptions

    @Flag(name: [.customShort("n"), .long], help: "Only show what would be done, and what is lost.")
    var dryRun = false

    @Flag(help: "Give up for good snapshots whose manifests are missing or damaged. Until then a prune deletes nothing.")
    var dropLostSnapshots = false

    var console: Console { inspection.output.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try inspection.repository.open(console)
        var options = RepairOptions()
        options.threadCount = inspection.threads
        options.data = try inspection.validData()
        options.isDryRun = dryRun
        options.dropsLostSnapshots = dropLostSnapshots
        let chosen = options
        let report = try Operation(console: console, kind: .repair, onStopNote: "; the next repair goes on").run { (progress, cancellation) throws(RepositoryError) in
            try repository.repair(chosen, progress: progress, cancellation: cancellation)
        }
        ProblemText.report(report.problems, console)
        if repository.role == .backup { console.note("This key reads no data: of data in damaged packs all counts as lost, though a key of role full may find some of it sound.") }
        console.print(RepairText.lines(report, isDryRun: dryRun))
        RepairText.json(report, isDryRun: dryRun).forEach { console.print(json: $0) }
        return report.isWhole ? .done : .failed
    }
}
