import Bytes
import ImageRepository
import RepositoryFormat

/// Sets marks and says which snapshots they changed.
enum MarkReport {
    static func mark(_ snapshots: [Snapshot], _ kind: Mark.Kind, in repository: Repository, _ console: Console) throws(Failure) {
        let changed = Set(try repositoryCall { () throws(RepositoryError) in try repository.mark(snapshots, kind) })
        for snapshot in snapshots {
            console.print("\(SnapshotText.short(snapshot.id)): \(changed.contains(snapshot.id) ? text(kind) : "\(text(kind)) already")")
        }
        console.print(json: [
            "type": "summary", "operation": .string(kind.rawValue), "changed": .strings(snapshots.map(\.id).filter(changed.contains).map(\.hexadecimal)),
        ])
    }

    private static func text(_ kind: Mark.Kind) -> String {
        switch kind {
        case .forget: "forgotten"
        case .undelete: "back"
        case .protect: "protected"
        case .unprotect: "not protected"
        case .final: "gone"
        }
    }
}
