import Bytes
package import DiskLayout
import Glibc

/// Asks another program what is on a disk, because parsing what strangers wrote takes a process without rights (Specs/inspection.md).
package enum DiskInspection {
    /// A program that says nothing for so long hangs, or its disk does.
    private static let patienceMilliseconds: Int32 = 600_000

    /// - Parameters:
    ///   - program: path of `holdfast-inspect`.
    ///   - image: what it is to look at.
    /// - Throws: `.incomplete` if it cannot be started, fails, takes too long, or answers what cannot be.
    package static func answer(of program: String, about image: FileImageReader) throws(ImageError) -> InspectionAnswer {
        let arguments = [program, "--descriptor", "3", "--sector-size", "\(image.identity.logicalSectorByteCount)"]
        let process: ChildProcess
        do throws(SystemError) { process = try image.withDescriptor { file throws(SystemError) in try ChildProcess(arguments: arguments, inheriting: (file, 3)) } } catch {
            throw error.image(program, "start")
        }
        var request = pollfd(fd: process.output.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&request, 1, patienceMilliseconds) > 0 else { throw .incomplete(source: program, reason: "it took too long") }
        let bytes = try read(DescriptorStream(number: process.output.number, name: program))
        let ending: ChildProcess.Ending
        do throws(SystemError) { ending = try process.wait() } catch { throw error.image(program, "wait") }
        switch ending {
        case .status(0): break
        case .status(let status): throw .incomplete(source: program, reason: "it ended with exit status \(status)")
        case .signal(let signal): throw .incomplete(source: program, reason: "it was ended by signal \(signal)")
        }
        do throws(DiskLayoutError) { return try InspectionAnswer(decoding: bytes, diskByteCount: image.byteCount) } catch {
            throw .incomplete(source: program, reason: "its answer cannot be believed: \(error)")
        }
    }

    private static func read(_ stream: DescriptorStream) throws(ImageError) -> [UInt8] {
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var span = piece.mutableSpan
            let count = try stream.read(into: &span)
            answer += piece[..<count]
            guard answer.count <= DiskLayoutLimits.answerByteCountMax else { throw .incomplete(source: stream.name, reason: "its answer is too long") }
            if count < piece.count { return answer }
        }
    }
}
