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
    ///   - skipsPageFiles: whether page files and images of hibernated systems count as unused.
    /// - Throws: `.incomplete` if it cannot be started, fails, takes too long, or answers what cannot be.
    package static func answer(of program: String, about image: FileImageReader, skipsPageFiles: Bool = false) throws(ImageError) -> InspectionAnswer {
        let arguments = [program, "--descriptor", "3", "--sector-size", "\(image.identity.logicalSectorByteCount)"] + (skipsPageFiles ? ["--skip-page-files"] : [])
        let process: PipedProcess
        do throws(SystemError) { process = try image.withDescriptor { file throws(SystemError) in try PipedProcess(arguments: arguments, inheriting: (file, 3)) } } catch {
            throw error.image(program, "start")
        }
        let bytes = try read(process.output, of: program)
        if let reason = try process.process.failure(program) { throw .incomplete(source: program, reason: "it \(reason)") }
        do throws(DiskLayoutError) { return try InspectionAnswer(decoding: bytes, diskByteCount: image.byteCount) } catch {
            throw .incomplete(source: program, reason: "its answer cannot be believed: \(error)")
        }
    }

    /// All that the program says, as long as it says something now and then.
    private static func read(_ output: borrowing FileDescriptor, of program: String) throws(ImageError) -> [UInt8] {
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var request = pollfd(fd: output.number, events: Int16(POLLIN), revents: 0)
            let readyCount = unsafe poll(&request, 1, patienceMilliseconds)
            guard readyCount != 0 else { throw .incomplete(source: program, reason: "it took too long") }
            let count = unsafe readyCount < 0 ? -1 : Glibc.read(output.number, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.last.image(program, "read") }
            if count == 0 { return answer }
            answer += piece[..<count]
            guard answer.count <= DiskLayoutLimits.answerByteCountMax else { throw .incomplete(source: program, reason: "its answer is too long") }
        }
    }
}
