import Bytes
import Glibc
import RepositoryFormat
import Sealing
import Testing

@testable import CommandLineTool

/// The built program, run like a person would.
@Suite(.serialized) struct WholeToolTests {
    /// A folder with a repository, a key file and an image; removed afterwards.
    private final class Place {
        let folder: String
        var repository: String { "\(folder)/repository" }
        var key: String { "\(folder)/key" }
        var image: String { "\(folder)/image" }

        init() throws {
            folder = "/tmp/holdfast-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            #expect(unsafe mkdir(folder, 0o700) == 0)
            try DemoTree.write(DemoTree.noise(byteCount: 3 << 20, seed: 7) + [UInt8](repeating: 0, count: 1 << 20), to: image)
        }

        deinit {
            do { _ = try ExternalProgram(arguments: ["rm", "-rf", "--", folder]).run() } catch { Issue.record(error) }
        }

        /// Exit status and everything printed.
        func tool(_ arguments: String..., key: String? = nil) throws -> (status: Int32, output: String) {
            let settings = [
                "env", "HOLDFAST_REPOSITORY=\(repository)", "HOLDFAST_KEY_FILE=\(key ?? self.key)", "HOLDFAST_CACHE_DIR=\(folder)/cache",
                "HOLDFAST_STATE_DIR=\(folder)/state", try program(),
            ]
            let ending = try #require(try ExternalProgram(arguments: settings + arguments).run())
            return (ending.status, String(decoding: ending.output, as: UTF8.self))
        }

        func makeRepository() throws {
            let result = try tool("init", "--recovery-file", "\(folder)/recovery", "--no-recovery-print")
            try #require(result.status == 0, "\(result.output)")
        }

        /// Beside the test program.
        private func program() throws -> String {
            guard let own = unsafe realpath("/proc/self/exe", nil) else { throw Failure("/proc: it is not mounted") }
            defer { unsafe free(own) }
            let path = unsafe String(cString: own)
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            return "/\(folder)/holdfast"
        }
    }

    @Test func `what was backed up is restored and compared`() throws {
        let place = try Place()
        try place.makeRepository()
        let first = try place.tool("backup", place.image, "--tag", "x")
        #expect(first.status == 0, "\(first.output)")
        #expect(try place.tool("snapshots", "--tag", "x").output.contains(place.image))
        let restored = try place.tool("restore", "latest", "\(place.folder)/copy", "--verify")
        #expect(restored.status == 0, "\(restored.output)")
        #expect(try ImageComparison.firstDifference(place.image, "\(place.folder)/copy") == nil)
        #expect(try place.tool("check", "--read-data").status == 0)
    }

    @Test func `a target that holds something is left alone unless told otherwise`() throws {
        let place = try Place()
        try place.makeRepository()
        #expect(try place.tool("backup", place.image).status == 0)
        let target = "\(place.folder)/target"
        try DemoTree.write([1, 2, 3], to: target)
        #expect(try place.tool("restore", "latest", target).status == 1)
        #expect(try place.tool("restore", "latest", target, "--dry-run").status == 0)
        var status = stat()
        #expect(unsafe stat(target, &status) == 0)
        #expect(status.st_size == 3)
        #expect(try place.tool("restore", "latest", target, "--yes").status == 0)
        #expect(try ImageComparison.firstDifference(place.image, target) == nil)
        #expect(try place.tool("restore", "latest", "\(place.repository)/inside").status == 1)
    }

    @Test func `no repository, a wrong key and wrong usage have their own statuses`() throws {
        let place = try Place()
        #expect(try place.tool("snapshots").status == 10)
        try place.makeRepository()
        try KeyFiles.write(.random(), to: "\(place.folder)/other")
        #expect(try place.tool("snapshots", key: "\(place.folder)/other").status == 12)
        #expect(try place.tool("snapshots", "--nonsense").status == 64)
        #expect(try place.tool("snapshots", "--repository", "s3://bucket").status == 64)
        #expect(try place.tool("backup", "\(place.folder)/missing").status == 1)
        #expect(try place.tool("init").status == 1)
    }

    @Test func `init leaves a folder with other files alone`() throws {
        let place = try Place()
        let result = try place.tool("init", "--repository", place.folder)
        #expect(result.status == 1)
        #expect(result.output.contains("it is not empty"))
    }

    @Test func `a backup key backs up and restores nothing, and leaves no target behind`() throws {
        let place = try Place()
        try place.makeRepository()
        let backupKey = "\(place.folder)/backup-key"
        #expect(try place.tool("key", "add", "--role", "backup", "--new-key-file", backupKey).status == 0)
        #expect(try place.tool("backup", place.image, key: backupKey).status == 0)
        let target = "\(place.folder)/copy"
        #expect(try place.tool("restore", "latest", target, key: backupKey).status == 1)
        #expect(!SecretFile.exists(target))
        #expect(try place.tool("key", "add", "--role", "full", "--new-key-file", target, key: backupKey).status == 1)
        #expect(!SecretFile.exists(target))
    }

    @Test func `the recovery key opens the repository`() throws {
        let place = try Place()
        try place.makeRepository()
        let result = try place.tool("key", "list", key: "\(place.folder)/recovery")
        #expect(result.status == 0)
        #expect(result.output.contains("recovery"))
    }

    @Test func `a command that fails leaves no snapshot`() throws {
        let place = try Place()
        try place.makeRepository()
        #expect(try place.tool("backup", "--stdin-command", "cat \(place.image); exit 4").status == 1)
        #expect(try place.tool("snapshots", "--json").output == "")
        #expect(try place.tool("backup", "--stdin-command", "cat \(place.image)").status == 0)
        #expect(try place.tool("restore", "latest:\(ThisMachine.hostName):stdin", "\(place.folder)/copy").status == 0)
        #expect(try ImageComparison.firstDifference(place.image, "\(place.folder)/copy") == nil)
    }

    @Test func `every line of JSON output is an object with a type`() throws {
        let place = try Place()
        try place.makeRepository()
        let outputs = try [
            place.tool("backup", "--json", place.image), place.tool("snapshots", "--json"), place.tool("show", "latest", "--json"),
            place.tool("stats", "--json"), place.tool("check", "--json"), place.tool("diff", "latest", "latest", "--json"),
            place.tool("key", "list", "--json"), place.tool("restore", "latest", "\(place.folder)/copy", "--json"),
        ]
        for (status, output) in outputs {
            #expect(status == 0)
            #expect(!output.isEmpty)
            for line in output.split(separator: "\n") {
                let object = try JSONValue(parsing: Array(line.utf8))
                #expect(try !object.string("type").isEmpty)
            }
        }
    }
}
