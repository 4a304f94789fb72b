import DiskImages
import ImageRepository
import Synchronization

/// What the tool does around the reading of the sources: freezes what is to be frozen, looks into the disks as they are then, and thaws. Where nothing is
/// frozen, it may have looked a moment before.
final class HeldReading: Sendable {
    private struct Look {
        var layout: SourceLayout?
        var warnings: [String] = []
    }

    /// A look into all sources that began before the repository was open.
    private struct EarlyLook {
        var startTime = Clock.monotonicMilliseconds
        var thread: BackgroundThread?
        var result: Result<[Look?], ImageError>?
    }

    /// An older look is not taken for what is on the disks: the repository may have kept this program waiting since.
    private static let earlyLookMilliseconds: UInt64 = 2000

    private let freeze: SourceFreeze?
    private let inspects: Bool
    private let skipsPageFiles: Bool
    private let console: Console
    private let problems = Mutex<[String]>([])
    private let early = Mutex(EarlyLook())

    init(_ freeze: SourceFreeze?, inspects: Bool, skipsPageFiles: Bool, console: Console) {
        self.freeze = freeze
        self.inspects = inspects
        self.skipsPageFiles = skipsPageFiles
        self.console = console
    }

    var hooks: ReadingHooks {
        var hooks = ReadingHooks()
        hooks.begin = { [self] sources throws(ImageError) in try begin(&sources) }
        hooks.end = { [self] in end() }
        return hooks
    }

    /// Thaws without waiting, for when the backup is asked to stop.
    func release() { freeze?.release() }

    /// What went wrong in the end, for when there is no snapshot to say it of.
    func warn() { for problem in problems.withLock({ $0 }) { console.warn(problem) } }

    /// Looks into the sources while the repository's key is derived, which takes one core alone. Again if it is called again: the time in between may have been long.
    ///
    /// Not for sources that are to hold still: what they are then is what counts.
    func lookAhead(at sources: [BackupSource]) {
        precondition(freeze == nil, "what will be frozen is looked into then")
        guard inspects else { return }
        joinEarlyLook()
        early.withLock { $0 = EarlyLook() }
        let thread = BackgroundThread { [self] in
            let result = Result { () throws(ImageError) in try look(at: sources) }
            early.withLock { $0.result = result }
        }
        early.withLock { $0.thread = thread }
    }

    private func joinEarlyLook() {
        early.withLock { early in early.thread.take() }?.join()
    }

    private func begin(_ sources: inout [BackupSource]) throws(ImageError) {
        try freeze?.begin()
        let looks = if let result = recentLook() { try result.get() } else { try look(at: sources) }
        for (index, look) in looks.enumerated() {
            guard let look else { continue }
            sources[index].layout = look.layout
            for warning in look.warnings { console.warn(warning) }
        }
    }

    /// Waits for a look that is under way. However long it takes from now on, one that began now would take as long.
    private func recentLook() -> Result<[Look?], ImageError>? {
        let isRecent = early.withLock { Clock.monotonicMilliseconds - $0.startTime <= HeldReading.earlyLookMilliseconds }
        joinEarlyLook()
        return isRecent ? early.withLock { $0.result } : nil
    }

    /// Nil for what is no disk, and for all if nothing is to be known of them.
    private func look(at sources: [BackupSource]) throws(ImageError) -> [Look?] {
        try sources.map { source throws(ImageError) in
            guard case .image(let reader) = source.content else { return nil }
            let file = reader as? FileImageReader
            try file?.beginReading()
            guard inspects else { return nil }
            let told = try file.flatMap { file throws(ImageError) in try freeze?.freeSpace(on: file) } ?? [:]
            var look = Look()
            look.layout = InspectorProgram.layout(of: reader, source.identity, skipsPageFiles: skipsPageFiles, told: told) { look.warnings.append($0) }
            return look
        }
    }

    private func end() -> [String] {
        let found = freeze?.end() ?? []
        problems.withLock { $0 += found }
        return found
    }
}
