/// What the tool tells whoever started it. A promise to scripts: numbers never change their meaning.
enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    /// Done, but parts of a source could not be read.
    case incomplete = 3
    case noRepository = 10
    /// A maintainer ended this session.
    case sessionEnded = 11
    case wrongCredential = 12
    /// EX_USAGE of sysexits.h.
    case usage = 64
    /// 128 + SIGINT, as shells have it.
    case interrupted = 130
}
