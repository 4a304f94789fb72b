import Glibc

/// Where the demonstration happens.
struct DemoFolder {
    let path: String
    private let isKept: Bool

    /// - Parameter given: a new or empty folder that is kept; nil for a temporary one.
    init(given: String?) throws(Failure) {
        isKept = given != nil
        guard let given else {
            path = try DemoFolder.temporary()
            return
        }
        if unsafe mkdir(given, 0o700) != 0 {
            guard errno == EEXIST else { throw Failure("\(given): the folder cannot be made (\(SystemCall.reason))") }
            // Succeeds only if it is an empty folder.
            guard unsafe rmdir(given) == 0, unsafe mkdir(given, 0o700) == 0 else {
                throw Failure("\(given): it is not an empty folder (\(SystemCall.reason)); name a new one")
            }
        }
        guard let resolved = unsafe realpath(given, nil) else { throw Failure("\(given): it cannot be found (\(SystemCall.reason))") }
        path = unsafe String(cString: resolved)
        unsafe free(resolved)
    }

    /// Removes the folder unless it is to be kept.
    func finish() throws(Failure) {
        guard !isKept else { return }
        try DemoProgram.run(["rm", "-rf", "--", path])
    }

    private static func temporary() throws(Failure) -> String {
        let base = EnvironmentVariable.text("TMPDIR") ?? "/tmp"
        var name = Array("\(base)/holdfast-demo-XXXXXX".utf8CString)
        // Replaces the six letters in place.
        guard unsafe mkdtemp(&name) != nil else { throw Failure("\(base): no folder can be made there (\(SystemCall.reason)); set TMPDIR") }
        return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
