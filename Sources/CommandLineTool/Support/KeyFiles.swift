import Glibc
import Sealing

/// Key files and recovery keys, read and written.
enum KeyFiles {
    private static let byteCountMax = 4096

    static func read(_ path: String, console: Console) throws(Failure) -> KeyFile {
        var bytes = try SecretFile.read(path, byteCountMax: byteCountMax, console: console)
        return try parse(&bytes, from: path)
    }

    /// The key in the file at `path`; makes a new one there if there is no such file.
    static func readOrCreate(_ path: String, console: Console) throws(Failure) -> KeyFile {
        if SecretFile.exists(path) { return try read(path, console: console) }
        let key = KeyFile.random()
        try write(key, to: path)
        console.note("made the key file \(path); keep a copy of it elsewhere")
        return key
    }

    static func write(_ key: KeyFile, to path: String) throws(Failure) {
        var line = key.line
        line.append(0x0A)
        try SecretFile.create(path, &line)
    }

    /// The 24 words or the line, typed at the terminal, or from standard input where that is not a terminal.
    static func recoveryKey(_ console: Console) throws(Failure) -> KeyFile {
        var text: [UInt8] = []
        text.reserveCapacity(byteCountMax)
        defer { text.wipe() }
        guard isatty(STDIN_FILENO) == 1 else {
            text = [UInt8](repeating: 0, count: byteCountMax)
            let byteCount = SystemCall.readAll(into: &text, from: STDIN_FILENO) ?? 0
            text.removeLast(byteCountMax - byteCount)
            return try parse(&text, from: "standard input")
        }
        // Shown while they are typed: 24 words can hardly be typed unseen.
        var question = "Recovery key (24 words, or the line that begins with HOLDFAST-KEY-1): "
        while true {
            var line = try TerminalPrompt.line(question, isHidden: false)
            defer { line.wipe() }
            guard text.count + line.count < byteCountMax else { throw Failure("that is too long for a recovery key") }
            text += line
            text.append(0x20)
            let words = text.split(separator: 0x20)
            if words.count >= 24 || line.isEmpty || words.first?.contains(UInt8(ascii: ":")) == true { break }
            question = "\(words.count) of 24 words; go on: "
        }
        return try parse(&text, from: "the recovery key")
    }

    private static func parse(_ bytes: inout [UInt8], from origin: String) throws(Failure) -> KeyFile {
        do throws(SealingError) { return try KeyFile(parsing: &bytes) } catch { throw Failure(error, file: origin) }
    }
}
