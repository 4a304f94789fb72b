/// What the tool tells whoever started it. A promise to scripts: numbers never change their meaning.
enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    /// Done, but parts of a source could not be read, or it did not hold still as it was told to.
    case incomplete = 3
    /// Done, but the command that was to run afterwards failed.
    case afterFailed = 4
    case noRepository = 10
    /// A maintainer ended this session.
    case sessionEnded = 11
    case wrongCredential = 12
    /// EX_USAGE of sysexits.h.
    case usage = 64
    /// 128 + SIGINT, as shells have it.
    case interrupted = 130
}
