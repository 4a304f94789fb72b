import CLinux
import Glibc

/// A program about to be started: with what descriptors, in what group.
///
/// Signals that we ignore or block have their usual meaning in the program. Of our descriptors it gets those that are named, and 2.
struct ChildSpawn {
    enum Place {
        /// A process group of its own, so that what it starts can be ended with it.
        case group
        /// A session of its own, with signals as we have them: nothing that is sent to us or our terminal reaches it.
        case session
    }

    /// Searched for in `PATH`.
    var program: String
    /// The first is what it calls itself.
    var arguments: [String]
    var place = Place.group
    /// Standard input; nil for an empty one.
    var input: Int32?
    var output: Int32
    /// A descriptor that it gets besides, and as which number.
    var inherited: (number: Int32, as: Int32)?
    /// `NAME=value`, in the place of variables of that name.
    var variables: [String] = []

    func start() throws(SystemError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        // Last, so that nothing takes its number again.
        if let inherited { unsafe posix_spawn_file_actions_adddup2(&actions, inherited.number, inherited.as) }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        try set(&attributes)

        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { word in unsafe strdup(word) } + [nil]
        let added: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { text in unsafe strdup(text) }
        defer { for unsafe text in unsafe words + added { unsafe free(text) } }
        var environment = unsafe ownVariables() + added + [nil]
        var processID: pid_t = 0
        let result = unsafe posix_spawnp(&processID, program, &actions, &attributes, &words, &environment)
        guard result == 0 else { throw SystemError(number: result) }
        return processID
    }

    private func set(_ attributes: inout posix_spawnattr_t) throws(SystemError) {
        guard place == .group else {
            let result = unsafe posix_spawnattr_setflags(&attributes, Int16(holdfast_spawn_session))
            guard result == 0 else { throw SystemError(number: result) }
            return
        }
        var defaults = sigset_t()
        var blocked = sigset_t()
        unsafe sigemptyset(&blocked)
        unsafe sigemptyset(&defaults)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD] { unsafe sigaddset(&defaults, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// Those of ours that are not given anew. They may hold bytes that are no text.
    private func ownVariables() -> [UnsafeMutablePointer<CChar>?] {
        let names = variables.map { $0.prefix { $0 != "=" } + "=" }
        var found: [UnsafeMutablePointer<CChar>?] = unsafe []
        var place = unsafe environ
        while let text = unsafe place.pointee {
            if !names.contains(where: { unsafe strncmp(text, String($0), $0.utf8.count) == 0 }) { unsafe found.append(text) }
            unsafe place += 1
        }
        return unsafe found
    }
}
