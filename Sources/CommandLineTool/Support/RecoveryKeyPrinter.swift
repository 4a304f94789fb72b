import Glibc
import Sealing

/// Shows a recovery key so that it can be put on paper.
struct RecoveryKeyPrinter {
    let console: Console

    func print(_ key: KeyFile) {
        console.print()
        console.print("Recovery key: whoever has it can read and change everything here. Nobody can make it again.")
        console.print("Write it down or print it, and keep it away from this machine. Either as 24 words:")
        console.print()
        console.print(RecoveryKeyPrinter.columns(key.words))
        console.print()
        console.print("or as the line of a key file:")
        console.print()
        var line = key.line
        line.append(0x0A)
        defer { line.wipe() }
        // Past the console: the line is secret and never becomes text in this program.
        _ = SystemCall.writeAll(line, to: STDOUT_FILENO)
        console.print()
        printCode(line)
        console.print("It opens the repository with --recovery, or from a file with --key-file.")
    }

    /// Four columns, numbered along the lines.
    static func columns(_ words: [String]) -> [String] {
        let width = words.map(\.count).max() ?? 0
        return stride(from: 0, to: words.count, by: 4).map { first in
            (first..<min(first + 4, words.count)).map { index in
                let number = index + 1
                let word = words[index]
                let blanks = String(repeating: " ", count: index % 4 == 3 ? 0 : width - word.count)
                return "\(number < 10 ? " " : "")\(number) \(word)\(blanks)"
            }.joined(separator: "   ")
        }.map { "  \($0)" }
    }

    private func printCode(_ line: [UInt8]) {
        let program = ExternalProgram(
            arguments: ["qrencode", "-t", "UTF8"], input: .bytes(Array(line.dropLast())), output: .inherited)
        do throws(Failure) {
            if let ending = try program.run(), ending.status == 0 { return }
        } catch {
            // The code is a convenience: the words and the line are there.
            console.print(error.message)
        }
        console.print("For a QR code, install qrencode (Debian: apt install qrencode) and give it the line: qrencode -t UTF8")
    }
}
