import ArgumentParser

/// `holdfast demo`
struct DemoCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Make a disk, back it up twice, restore it and compare.",
        discussion: """
            Needs no arguments, no disk, no repository and no root: everything is made in a temporary folder, with sfdisk, mkfs.ext4, \
            debugfs and e2fsck, and removed at the end.
            """)

    @Option(help: ArgumentHelp("Do it in this folder, which must be new or empty, and keep it.", valueName: "path"), completion: .directory)
    var folder: String?

    var console: Console { Console(format: .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        try DemoProgram.requireAll()
        let folder = try DemoFolder(given: folder)
        let demo = Demo(folder: folder.path, console: console)
        do throws(Failure) {
            try demo.run()
        } catch {
            try folder.finish()
            throw error
        }
        try folder.finish()
        console.print(self.folder == nil ? "Everything was removed again." : "Everything is kept in \(folder.path).")
        return .done
    }
}
