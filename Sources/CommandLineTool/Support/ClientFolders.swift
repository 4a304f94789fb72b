/// Where this machine keeps what it knows of repositories.
enum ClientFolders {
    /// What can be rebuilt. Nil if there is no home folder either.
    static func cache(_ variable: (String) -> String?) -> String? {
        folder(variable, own: "HOLDFAST_CACHE_DIR", base: "XDG_CACHE_HOME", home: ".cache")
    }

    /// Pins, which must not be lost lightly.
    static func state(_ variable: (String) -> String?) -> String? {
        folder(variable, own: "HOLDFAST_STATE_DIR", base: "XDG_STATE_HOME", home: ".local/state")
    }

    private static func folder(_ variable: (String) -> String?, own: String, base: String, home: String) -> String? {
        if let folder = variable(own) { return folder }
        // The XDG Base Directory Specification: relative paths are to be ignored.
        if let folder = variable(base), folder.hasPrefix("/") { return "\(folder)/holdfast" }
        return variable("HOME").map { "\($0)/\(home)/holdfast" }
    }
}
