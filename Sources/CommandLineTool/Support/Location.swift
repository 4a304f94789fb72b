/// Where a repository is: a path, or a URL.
enum Location: Equatable {
    case folder(String)

    /// `/srv/backup`, `relative/path`, `file:///srv/back%20up`.
    init(parsing text: String) throws(Failure) {
        guard !text.isEmpty else { throw Failure("the repository's name is empty", status: .usage) }
        guard let schemeEnd = Location.schemeEnd(text) else {
            let word = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
            guard word.count < 2 || text[word.endIndex...].first != ":" else {
                throw Failure("\(text): repositories at “\(word):” are not supported; a folder of that name is ./\(text)", status: .usage)
            }
            self = .folder(text)
            return
        }
        let scheme = text[..<schemeEnd].lowercased()
        guard scheme == "file" else {
            throw Failure("\(text): repositories at “\(scheme)://” are not supported; give a path or a file:// URL", status: .usage)
        }
        let rest = text[schemeEnd...].dropFirst("://".count)
        guard let slash = rest.firstIndex(of: "/"), rest[..<slash].isEmpty || rest[..<slash] == "localhost",
            let path = Location.decode(rest[slash...])
        else { throw Failure("\(text): a file URL is file:// and an absolute path, with %XX for what is not plain", status: .usage) }
        self = .folder(path)
    }

    /// RFC 3986, 3.1: a letter, then letters, digits, `+`, `-`, `.`; here only before `://`.
    private static func schemeEnd(_ text: String) -> String.Index? {
        let scheme = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
        guard let first = scheme.first, first.isLetter, text[scheme.endIndex...].hasPrefix("://") else { return nil }
        return scheme.endIndex
    }

    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), value != 0 else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
