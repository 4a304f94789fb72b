import RepositoryFormat

/// A manual page in man(7), written from the description of the commands that the argument parser gives (its ToolInfo, version 0).
struct ManualPage {
    let root: JSONValue

    var lines: [String] {
        let name = text(root, "commandName")
        var lines = [
            ".TH \(name.uppercased()) 1 \"\" \"\(name) \(ToolVersion.text)\"", ".SH NAME", "\(name) \\- \(escape(text(root, "abstract")))",
            ".SH SYNOPSIS", ".B \(name)", "[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]", ".SH DESCRIPTION",
        ]
        lines += paragraphs(text(root, "discussion"))
        lines += [".SH OPTIONS"] + list(root, "arguments").flatMap(argument)
        lines.append(".SH COMMANDS")
        for command in commands(root) { lines += section(command, path: "") }
        return lines + ManualPage.environment
    }

    private func section(_ command: JSONValue, path: String) -> [String] {
        let name = path + text(command, "commandName")
        let nested = commands(command)
        guard nested.isEmpty else { return nested.flatMap { section($0, path: "\(name) ") } }
        let arguments = list(command, "arguments")
        let positionals = arguments.filter { text($0, "kind") == "positional" && isShown($0) }
        let synopsis = positionals.map { "\\fI\(escape(text($0, "valueName").uppercased()))\\fR" }.joined(separator: " ")
        var lines = [".SS \(escape(name)) \(synopsis)"] + paragraphs(text(command, "abstract"))
        let discussion = text(command, "discussion")
        if !discussion.isEmpty { lines += [".PP"] + paragraphs(discussion) }
        // Those of the repository are the same everywhere and stand under OPTIONS.
        return lines + arguments.filter { text($0, "sectionTitle") != "Repository" }.flatMap(argument)
    }

    private func argument(_ argument: JSONValue) -> [String] {
        guard isShown(argument) else { return [] }
        let value = escape(text(argument, "valueName"))
        let names = list(argument, "names").map { name in
            let dashes = text(name, "kind") == "long" ? "\\-\\-" : "\\-"
            return "\\fB\(dashes)\(escape(text(name, "name")))\\fR"
        }
        let title: String
        switch text(argument, "kind") {
        case "positional": title = "\\fI\(value.uppercased())\\fR"
        case "option": title = "\(names.joined(separator: ", ")) \\fI\(value)\\fR"
        default: title = names.joined(separator: ", ")
        }
        return [".TP", title, escape(text(argument, "abstract"))]
    }

    private func commands(_ command: JSONValue) -> [JSONValue] {
        list(command, "subcommands").filter { isShown($0) && text($0, "commandName") != "help" }
    }

    private func isShown(_ entry: JSONValue) -> Bool { entry["shouldDisplay"] != .bool(false) }

    private func paragraphs(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? ".PP" : escape(String($0)) }
    }

    private func text(_ value: JSONValue, _ name: String) -> String {
        guard case .string(let text)? = value[name] else { return "" }
        return text
    }

    private func list(_ value: JSONValue, _ name: String) -> [JSONValue] {
        guard case .array(let values)? = value[name] else { return [] }
        return values
    }

    /// Text that the formatter takes as it is.
    private func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "“": result += "\\(lq"
            case "”": result += "\\(rq"
            default: result.append(character)
            }
        }
        return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
    }

    private static let environment = [
        ".SH ENVIRONMENT",
        ".TP", "\\fBHOLDFAST_REPOSITORY\\fR", "The repository, where \\fB\\-\\-repository\\fR is not given.",
        ".TP", "\\fBHOLDFAST_PASSWORD_FILE\\fR, \\fBHOLDFAST_KEY_FILE\\fR", "A file with the password, or a key file.",
        ".TP", "\\fBHOLDFAST_PASSWORD\\fR", "The password itself. Other programs of the same user can see it.",
        ".TP", "\\fBHOLDFAST_CACHE_DIR\\fR", "Folder for what can be rebuilt; else holdfast in \\fBXDG_CACHE_HOME\\fR or ~/.cache.",
        ".TP", "\\fBHOLDFAST_STATE_DIR\\fR",
        "Folder for what guards against rollback; else holdfast in \\fBXDG_STATE_HOME\\fR or ~/.local/state.",
    ]
}
