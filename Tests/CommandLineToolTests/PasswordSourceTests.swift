import Glibc
import Sealing
import Testing

@testable import CommandLineTool

@Suite struct PasswordSourceTests {
    private let console = Console(format: .text, isQuiet: true)

    private func bytes(_ secret: SecretBytes) -> [UInt8] { unsafe secret.withBytes { unsafe Array($0) } }

    private func withFile<Result>(_ content: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let path = "/tmp/holdfast-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        var content = content
        try SecretFile.create(path, &content)
        defer { unsafe unlink(path) }
        return try body(path)
    }

    @Test(arguments: [("secret", "secret"), ("secret\n", "secret"), ("secret\n\n", "secret\n"), (" s \r\n", " s \r")])
    func `one newline at the end of a password file is removed`(content: String, password: String) throws {
        try withFile(Array(content.utf8)) { path in
            let secret = try PasswordSource.file(path, console: console)
            #expect(bytes(secret) == Array(password.utf8))
        }
    }

    @Test func `an empty, a huge and a missing password file are refused`() throws {
        for content in [[], [0x0A], [UInt8](repeating: 65, count: 5000)] as [[UInt8]] {
            try withFile(content) { path in
                _ = #expect(throws: Failure.self) { try PasswordSource.file(path, console: console) }
            }
        }
        #expect(throws: Failure.self) { try PasswordSource.file("/nonexistent/password", console: console) }
    }

    @Test func `a command's output is the password, unless the command fails`() throws {
        let secret = try PasswordSource.command("echo 'from a command'")
        #expect(bytes(secret) == Array("from a command".utf8))
        #expect(throws: Failure.self) { try PasswordSource.command("echo x; exit 3") }
        #expect(throws: Failure.self) { try PasswordSource.command("true") }
        #expect(throws: Failure.self) { try PasswordSource.command("head -c 5000 /dev/zero") }
    }

    @Test func `a new key file belongs to its owner alone and is never overwritten`() throws {
        let path = "/tmp/holdfast-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { unsafe unlink(path) }
        let key = try KeyFiles.readOrCreate(path, console: console)
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        let again = try KeyFiles.readOrCreate(path, console: console)
        #expect(bytes(again.secret) == bytes(key.secret))
        #expect(throws: Failure.self) { try KeyFiles.write(.random(), to: path) }
    }

    @Test func `a secret taken from the environment is gone from it`() {
        unsafe setenv("HOLDFAST_TEST_SECRET", "hidden", 1)
        let secret = EnvironmentVariable.takeSecret("HOLDFAST_TEST_SECRET")
        #expect(secret.map(bytes) == Array("hidden".utf8))
        #expect(EnvironmentVariable.text("HOLDFAST_TEST_SECRET") == nil)
    }
}
