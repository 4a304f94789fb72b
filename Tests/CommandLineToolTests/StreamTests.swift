import DiskImages
import Glibc
import Testing

@testable import CommandLineTool

@Suite struct StreamTests {
    @Test func `a reader that waits for input is woken when the backup is stopped`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let input = try StoppableInput(descriptor: ends[0])
        let thread = try #require(BackgroundThread {
            usleep(20_000)
            input.stop()
        })
        defer { thread.join() }
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(throws: ImageError.incomplete(source: "standard input", reason: "the backup was stopped")) {
            var span = bytes.mutableSpan
            _ = try input.read(into: &span)
        }
    }

    @Test func `a stream is read to its end over many short pieces`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        defer { close(ends[0]) }
        let writer = ends[1]
        let thread = try #require(BackgroundThread {
            for byte in 1...5 as ClosedRange<UInt8> {
                _ = SystemCall.writeAll([byte], to: writer)
                usleep(1000)
            }
            close(writer)
        })
        defer { thread.join() }
        var bytes = [UInt8](repeating: 0, count: 16)
        var span = bytes.mutableSpan
        let byteCount = try StoppableInput(descriptor: ends[0]).read(into: &span)
        #expect(byteCount == 5)
        #expect(bytes.prefix(6) == [1, 2, 3, 4, 5, 0])
    }

    @Test func `a program gets its input and its output is kept`() throws {
        let ending = try #require(
            try ExternalProgram(arguments: ["cat"], input: .bytes(Array("through".utf8)), output: .captured(byteCountMax: 100)).run())
        #expect(ending.status == 0)
        #expect(ending.output == Array("through".utf8))
        let missing = try ExternalProgram(arguments: ["holdfast-no-such-program"]).run()
        #expect(missing == nil)
        #expect(try ExternalProgram(arguments: ["sh", "-c", "kill -9 $$"]).run()?.status == 137)
    }
}
