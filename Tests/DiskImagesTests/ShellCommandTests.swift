import DiskImages
import Glibc
import Testing

struct ShellCommandTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func `it gets variables, in the place of those that are there`() throws {
        let path = folder.file("told")
        try ShellCommand("echo \"$HOME $OTHER\" > \(path)").run(variables: ["HOME=elsewhere", "OTHER=a=b"])
        #expect(try contents(of: path) == Array("elsewhere a=b\n".utf8))
        try ShellCommand("env | grep -c ^HOME= > \(path)").run(variables: ["HOME=elsewhere"])
        #expect(try contents(of: path) == Array("1\n".utf8))
    }

    @Test func `its failure is told`() {
        #expect(message { try ShellCommand("exit 3").run() } == "exit 3: the command ended with exit status 3")
        #expect(message { try ShellCommand("kill -9 $$").run() } == "kill -9 $$: the command was ended by signal 9")
    }

    @Test func `one that was stopped before it began never runs`() throws {
        let command = ShellCommand("touch \(folder.file("begun"))")
        command.cancel()
        #expect(message { try command.run() }.contains("was stopped"))
        #expect(!exists(folder.file("begun")))
    }
}
