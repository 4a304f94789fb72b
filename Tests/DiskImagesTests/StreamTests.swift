@testable import DiskImages
import Glibc
import Testing

struct StreamTests {
    @Test func `a command's output is the stream, read in pieces of any size`() throws {
        for pieceByteCount in [1, 7, 4096, 100_000] {
            let stream = try CommandStream(shell: "printf abc; sleep 0.05; printf defgh")
            #expect(try readAll(stream, pieceByteCount: pieceByteCount) == Array("abcdefgh".utf8))
            try stream.finish()
            try stream.finish()
        }
    }

    @Test func `a stream larger than a pipe is read whole`() throws {
        let stream = try CommandStream(arguments: ["head", "-c", "5000001", "/dev/zero"])
        #expect(try readAll(stream, pieceByteCount: 65536).count == 5_000_001)
        try stream.finish()
    }

    @Test func `a command without output is an empty stream`() throws {
        let stream = try CommandStream(arguments: ["true"])
        #expect(try readAll(stream) == [])
        try stream.finish()
    }

    @Test func `a command that fails after its output is not complete`() throws {
        let stream = try CommandStream(shell: "echo data; exit 3")
        #expect(try readAll(stream) == Array("data\n".utf8))
        #expect(throws: ImageError.incomplete(source: "echo data; exit 3", reason: "the command ended with exit status 3")) {
            try stream.finish()
        }
    }

    @Test func `a command that a signal ends is not complete`() throws {
        let stream = try CommandStream(shell: "kill -9 $$")
        #expect(try readAll(stream) == [])
        #expect(message { try stream.finish() }.contains("signal 9"))
    }

    @Test func `a command that is not read to its end is not complete`() throws {
        let command = "yes | head -c 10000000; exit 0"
        let stream = try CommandStream(arguments: ["sh", "-c", command])
        var piece = [UInt8](repeating: 0, count: 10)
        var span = piece.mutableSpan
        #expect(try stream.read(into: &span) == 10)
        stream.cancel()
        #expect(message { try stream.finish() }.contains("stopped"))
    }

    @Test func `a command that does not exist says so`() {
        #expect(throws: ImageError.notFound(path: "/no/such/program")) { try CommandStream(arguments: ["/no/such/program"]) }
        #expect(message { _ = try CommandStream(arguments: []) }.contains("empty"))
    }

    @Test func `a dropped stream ends its command and what that started`() throws {
        // A number of seconds that no other program sleeps for.
        let seconds = "1000\(getpid())"
        var stream: CommandStream? = try CommandStream(shell: "sleep \(seconds) & echo ready; wait")
        var line = [UInt8](repeating: 0, count: 5)
        var span = line.mutableSpan
        #expect(try stream?.read(into: &span) == 5)
        #expect(try sleepers(seconds) == 1)
        stream = nil
        #expect(try sleepers(seconds) == 0)
    }

    private func sleepers(_ seconds: String) throws -> Int {
        let script = "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$file | grep -x 'sleep \(seconds) '; done 2>/dev/null | wc -l"
        return try Int(run(["sh", "-c", script])) ?? -1
    }

    @Test func `a command that ignores the request to stop is ended by force`() throws {
        let stream = try CommandStream(shell: "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        var line = [UInt8](repeating: 0, count: 6)
        var span = line.mutableSpan
        #expect(try stream.read(into: &span) == 6)
        stream.cancel()
        #expect(message { try stream.finish() }.contains("stopped"))
    }

    @Test func `a command has usual signals and an empty input`() throws {
        let stream = try CommandStream(shell: "cat; grep SigIgn /proc/self/status")
        let text = String(decoding: try readAll(stream), as: UTF8.self)
        try stream.finish()
        let mask = try #require(UInt64(text.split(separator: "\t").last?.trimmingNewline ?? "", radix: 16))
        #expect(mask & 1 << UInt64(SIGPIPE - 1) == 0)
    }

    @Test func `a descriptor is read to its end`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        #expect(unsafe write(ends[1], "hello", 5) == 5)
        close(ends[1])
        let stream = StandardInputStream(descriptor: ends[0])
        #expect(try readAll(stream) == Array("hello".utf8))
        try stream.finish()
        close(ends[0])
        #expect(message { _ = try readAll(stream) }.contains("reading failed"))
    }

    @Test func `a descriptor that does not block is waited for`() throws {
        let process = try PipedProcess(arguments: ["sh", "-c", "sleep 0.2; echo late"])
        #expect(fcntl(process.output.number, F_SETFL, O_NONBLOCK) == 0)
        #expect(try readAll(StandardInputStream(descriptor: process.output.number)) == Array("late\n".utf8))
        #expect(try process.process.wait() == .status(0))
    }
}

extension Substring {
    fileprivate var trimmingNewline: Substring { prefix { $0 != "\n" } }
}
