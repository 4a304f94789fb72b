import ArgumentParser
import ImageRepository
import Testing

@testable import CommandLineTool

@Suite struct ArgumentTests {
    private func parse<Result>(_ type: Result.Type, _ arguments: String...) throws -> Result {
        try #require(try Holdfast.parsed(arguments) as? Result)
    }

    @Test func `the repository may be named before or after the command`() throws {
        #expect(try parse(SnapshotsCommand.self, "--repository", "/r", "snapshots").repository.repository == "/r")
        #expect(try parse(SnapshotsCommand.self, "snapshots", "--repository", "/r").repository.repository == "/r")
        #expect(try parse(KeyListCommand.self, "--repository", "/r", "key", "list").repository.repository == "/r")
        #expect(try parse(KeyListCommand.self, "key", "--repository", "/r", "list", "--json").repository.repository == "/r")
        #expect(try parse(BackupCommand.self, "--key-file", "k", "backup", "-r", "/r", "disk").repository.keyFile == "k")
    }

    @Test func `data is read as a whole or in part`() throws {
        #expect(try parse(CheckCommand.self, "check").inspection.data == .structure)
        #expect(try parse(CheckCommand.self, "check", "--read-data").inspection.data == .all)
        #expect(try parse(CheckCommand.self, "check", "--read-data=5%").inspection.data == .sample(percent: 5))
        #expect(try parse(CheckCommand.self, "check", "--read-data", "--json").inspection.data == .all)
        // A value counts wherever it stands.
        #expect(try parse(CheckCommand.self, "check", "--read-data=5%", "--quiet").inspection.data == .sample(percent: 5))
        #expect(try parse(CheckCommand.self, "check", "--read-data", "5%", "--quiet").inspection.data == .sample(percent: 5))
    }

    @Test func `what may stay unused is in percent, with the sign or without`() throws {
        for text in ["12.5", "12.5%"] { #expect(try parse(PruneCommand.self, "prune", "--max-unused", text).pruning.options.unusedPercentMax == 12.5) }
        #expect(try parse(PruneCommand.self, "prune").pruning.options.unusedPercentMax == 5)
    }

    @Test func `a session is silent after hours or days, or never`() throws {
        #expect(try parse(PruneCommand.self, "prune").pruning.options.silentAfter == 24 * 3600)
        #expect(try parse(PruneCommand.self, "prune", "--end-silent", "90m").pruning.options.silentAfter == 90 * 60)
        #expect(try parse(ForgetCommand.self, "forget", "--keep-last", "1", "--prune", "--end-silent", "3d").pruning.options.silentAfter == 3 * 86_400)
        #expect(try parse(PruneCommand.self, "prune", "--end-silent", "never").pruning.options.silentAfter == nil)
    }

    @Test func `compression is a level or none`() throws {
        #expect(try parse(BackupCommand.self, "backup", "d").compression == .level(3))
        #expect(try parse(BackupCommand.self, "backup", "d", "--compression", "none").compression == .none)
        #expect(try parse(BackupCommand.self, "backup", "d", "--limit-rate", "50MiB/s").limitRate == 50 << 20)
    }

    @Test func `a file system stays frozen for seconds, minutes or hours, a day at most`() throws {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("24h", 86_400)] as [(String, UInt64)] {
            #expect(try parse(BackupCommand.self, "backup", "d", "--freeze", "/srv", "--freeze-timeout", text).consistency.freezeTimeout == seconds)
        }
        #expect(try parse(BackupCommand.self, "backup", "d", "--freeze", "/a", "--freeze", "/b").consistency.mountPoints == ["/a", "/b"])
    }

    @Test(arguments: [
        ["backup", "d", "--freeze", "/a", "--freeze-timeout", "25h"], ["backup", "d", "--freeze", "/a", "--freeze-timeout", "0s"],
        ["backup", "d", "--freeze", "/a", "--freeze-timeout", "90"], ["backup", "d", "--freeze-timeout", "90s"], ["backup", "d", "--freeze", ""],
        ["backup", "d", "--freeze", "/a", "--freeze-during", "before"], ["backup", "d", "--freeze", "/a", "--freeze-during", "lunch"],
        ["backup", "d", "--before", ""], ["backup", "d", "--after", ""],
        ["backup"], ["backup", "a", "b", "--image-name", "x"], ["backup", "d", "--compression", "13"], ["backup", "d", "--limit-rate", "fast"],
        ["backup", "d", "--threads", "0"], ["restore", "latest"], ["restore", "latest", "-", "--verify"], ["restore", "latest", "-", "--json"],
        ["init", "--no-recovery-print"], ["init", "--json"], ["init", "--chunk-size", "48KiB"], ["init", "--chunk-size", "8KiB"],
        ["prune", "--max-unused", "101"], ["prune", "--max-unused", "5%%"], ["prune", "--end-silent", "59m"], ["prune", "--end-silent", "h"],
        ["prune", "--end-silent", "99999d"], ["check", "--read-data=0%"], ["check", "--read-data=5"], ["check", "--read-data=101%"], ["check", "--read-data=banana", "--quiet"], ["check", "--read-data=0%", "--quiet"],
        ["check", "--read-data="], ["check", "--read-data=1e1%"], ["key", "add"], ["key", "add", "--role", "root"],
        ["snapshots", "--password-file", "a", "--key-file", "b"], ["nonsense"],
    ])
    func `wrong usage ends with status 64`(arguments: [String]) {
        #expect(performing: { try Holdfast.parsed(arguments) }, throws: { Holdfast.exitCode(for: $0).rawValue == CommandLineTool.ExitStatus.usage.rawValue })
    }
}
