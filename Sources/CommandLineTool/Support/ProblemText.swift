import ImageRepository
import RepositoryFormat
import Storage

/// What is wrong with a repository, in words and as JSON.
enum ProblemText {
    static func lines(_ problem: Problem) -> [String] {
        let first = "\(problem.severity.rawValue): \(problem.object): \(problem.reason)"
        guard !problem.snapshots.isEmpty else { return [first] }
        let snapshots = problem.snapshots.map { String($0.prefix(SnapshotText.digitCount)) }.joined(separator: ", ")
        // A mark says what is wanted of a snapshot, and takes none of its bytes away.
        let isLoss = problem.severity == .error && !problem.object.hasPrefix("\(ObjectKind.marks.rawValue)/")
        return [first, isLoss ? "  cannot be restored whole because of it: \(snapshots)" : "  concerns \(snapshots)"]
    }

    static func json(_ problem: Problem) -> JSONValue {
        [
            "type": "problem", "severity": .string(problem.severity.rawValue), "object": .string(problem.object),
            "reason": .string(problem.reason), "snapshots": .strings(problem.snapshots),
        ]
    }

    static func report(_ problems: [Problem], _ console: Console) {
        for problem in problems {
            if console.format == .json { console.print(json: json(problem)) } else { for line in lines(problem) { console.error("holdfast: \(line)") } }
        }
    }
}
