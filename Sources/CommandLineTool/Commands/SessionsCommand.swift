import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast sessions`
struct SessionsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "Show which backups run, or were cut off, and end one.",
        discussion: "A session that was ended can never make a snapshot; if its process still runs, it fails and says why. What it stored is used by the next backup of the same data, or freed by a prune.")

    @Option(name: .customLong("end"), help: ArgumentHelp("The first digits of the id of a session to end.", valueName: "id"))
    var ended: String?

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object a line, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let sessions = try repositoryCall { () throws(RepositoryError) in try repository.openSessions() }
        if let ended { return try end(ended, sessions, repository, console) }
        if sessions.isEmpty { console.note("No session runs, and none was cut off.") }
        for session in sessions {
            console.print(PruneText.line(session) + (session.isGone ? " (its process is gone)" : PruneText.silence(session)))
            console.print(json: ["type": "session", "session": PruneText.json(session)])
        }
        return .done
    }

    private func end(_ text: String, _ sessions: [OpenSession], _ repository: Repository, _ console: Console) throws(Failure) -> ExitStatus {
        let matches = sessions.filter { !text.isEmpty && $0.id.hexadecimal.hasPrefix(text.lowercased()) }
        guard let session = matches.first else { throw Failure("no open session's id begins with “\(text)”; “holdfast sessions” lists them") }
        guard matches.count == 1 else { throw Failure("the ids of \(matches.count) sessions begin with “\(text)”; give more digits") }
        let isEnded = try repositoryCall { () throws(RepositoryError) in try repository.endSession(session.id, reason: "ended by hand") }
        guard isEnded else { throw Failure("session \(SnapshotText.short(session.id)) has ended by itself meanwhile") }
        console.print("Ended \(PruneText.line(session)).")
        console.print(json: ["type": "summary", "operation": "end_session", "session": PruneText.json(session)])
        return .done
    }
}
