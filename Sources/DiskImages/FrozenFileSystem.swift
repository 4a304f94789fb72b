import CLinux
import Glibc
import Synchronization
import Threading

/// A file system that is frozen, by a guardian that thaws it whatever becomes of us. It is let go at the latest when its owner goes.
final class FrozenFileSystem: Sendable {
    enum Outcome: Equatable {
        /// It was frozen to the end.
        case held
        case expired
        /// Somebody else thawed it meanwhile.
        case interfered
        /// It may still be frozen.
        case stuck(reason: String)
    }

    /// How long thawing may take, which waits for nothing but the kernel's own work.
    private static let thawMilliseconds: UInt64 = 60_000
    /// How much later than the guardian we thaw: it comes first.
    private static let graceMilliseconds: UInt64 = 1000
    private static let tickMicroseconds: UInt32 = 20_000

    let mountPoint: String
    private let folder: FileDescriptor
    private let answers: FileDescriptor
    private let processID: pid_t
    /// The guardian waits for its closing.
    private let life: Mutex<FileDescriptor?>
    /// It is somebody else's, or nobody's, and must not be thawed.
    private let isRefused = Atomic<Bool>(false)
    /// Does the guardian's work when its time has come and it has not answered, as one does that was killed.
    private let substitute = Monitor<WorkerThread?>(nil)
    private let hasExpired = Atomic<Bool>(false)

    /// Starts the guardian, which begins to freeze.
    ///
    /// - Parameters:
    ///   - guardian: the program that becomes `FreezeGuardian` when it gets that argument; a path.
    ///   - milliseconds: how long it may stay frozen.
    init(_ fileSystem: MountedFileSystem, guardian: String, milliseconds: UInt64) throws(SystemError) {
        mountPoint = fileSystem.mountPoint
        folder = try FileDescriptor(opening: mountPoint, flags: O_RDONLY | O_DIRECTORY)
        let lifeline = try Pipe()
        let reply = try Pipe()
        let spawn = ChildSpawn(
            program: guardian, arguments: ["holdfast-thaw", FreezeGuardian.argument, "\(milliseconds)", mountPoint], place: .session,
            input: lifeline.output.number, output: reply.input.number, inherited: (folder.number, FreezeGuardian.descriptor))
        processID = try spawn.start()
        life = Mutex(lifeline.input)
        answers = reply.output
    }

    deinit { letGo() }

    /// - Throws: why it is not frozen. It must be let go then all the same.
    func waitUntilFrozen(milliseconds: UInt64) throws(ImageError) {
        switch nextAnswer(milliseconds) {
        case .some((.frozen, 0)): startSubstitute(milliseconds)
        case .some((.frozen, let number)):
            isRefused.store(true, ordering: .relaxed)
            throw refusal(SystemError(number: number))
        case .some: throw failure("the process that freezes it answered what cannot be")
        case nil: throw failure("it could not be frozen within \(milliseconds / 1000) seconds")
        }
    }

    /// Has it thawed, without waiting for that. May be called from any thread, and more than once.
    func letGo() {
        life.withLock { $0 = nil }
    }

    /// Lets go and waits until it has thawed; to be called once, after `waitUntilFrozen`.
    func thaw() -> Outcome {
        letGo()
        let outcome = outcome()
        substitute.withLock { thread in
            thread?.join()
            thread = nil
        }
        return hasExpired.load(ordering: .acquiring) ? .expired : outcome
    }

    private func outcome() -> Outcome {
        if isRefused.load(ordering: .relaxed) { return reaped(.held) }
        while true {
            switch nextAnswer(FrozenFileSystem.thawMilliseconds) {
            // It froze later than anybody waited for.
            case .some((.frozen, 0)): continue
            case .some((.frozen, _)): return reaped(.held)
            case .some((.expired, 0)), .some((.expired, EINVAL)): return reaped(.expired)
            case .some((.released, 0)): return reaped(.held)
            case .some((.released, EINVAL)): return reaped(.interfered)
            case .some, nil: return thawWithoutGuardian()
            }
        }
    }

    private func startSubstitute(_ milliseconds: UInt64) {
        let end = MonotonicClock.milliseconds + milliseconds + FrozenFileSystem.graceMilliseconds
        let started: WorkerThread?
        // Without room for a thread the guardian alone has to do.
        do throws(ThreadError) { started = try WorkerThread("thaw") { [self] in thawUnlessAnswered(end) } } catch { started = nil }
        substitute.withLock { $0 = started }
    }

    private func thawUnlessAnswered(_ end: UInt64) {
        while MonotonicClock.milliseconds < end {
            if life.withLock({ $0 == nil }) { return }
            usleep(FrozenFileSystem.tickMicroseconds)
        }
        var request = pollfd(fd: answers.number, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&request, 1, 0) > 0, request.revents & Int16(POLLIN) != 0 { return }
        if holdfast_thaw(folder.number) == 0 { hasExpired.store(true, ordering: .releasing) }
    }

    /// For when the guardian is dead, or could not do it.
    private func thawWithoutGuardian() -> Outcome {
        if holdfast_thaw(folder.number) == 0 { return .held }
        let error = SystemError.last
        return error.number == EINVAL ? .interfered : .stuck(reason: error.reason)
    }

    private func reaped(_ outcome: Outcome) -> Outcome {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return outcome
    }

    /// Nil where there is none in time, or the guardian has ended.
    private func nextAnswer(_ milliseconds: UInt64) -> (FreezeGuardian.Answer, Int32)? {
        let end = MonotonicClock.milliseconds + milliseconds
        while true {
            let now = MonotonicClock.milliseconds
            guard now < end else { return nil }
            var request = pollfd(fd: answers.number, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&request, 1, Int32(min(end - now, 1 << 30))) > 0 else { continue }
            var bytes: [UInt8] = [0, 0]
            let count = unsafe read(answers.number, &bytes, 2)
            if count < 0, errno == EINTR { continue }
            guard count == 2, let answer = FreezeGuardian.Answer(rawValue: bytes[0]) else { return nil }
            return (answer, Int32(bytes[1]))
        }
    }

    private func refusal(_ error: SystemError) -> ImageError {
        switch error.number {
        case EBUSY: .inUse(path: mountPoint, reason: "it is frozen already; “fsfreeze --unfreeze \(mountPoint)” thaws it if nobody else is at work")
        case EOPNOTSUPP, ENOTTY: .unsuitable(path: mountPoint, reason: "its file system cannot be frozen")
        case EPERM, EACCES: .accessDenied(path: mountPoint)
        default: failure("freezing it failed (\(error.reason))")
        }
    }

    private func failure(_ reason: String) -> ImageError { .unsuitable(path: mountPoint, reason: reason) }
}
