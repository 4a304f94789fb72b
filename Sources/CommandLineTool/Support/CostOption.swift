import ArgumentParser
import Sealing

/// How hard a password is to guess for whoever has the repository.
enum CostOption: String, ExpressibleByArgument, CaseIterable {
    /// 256 MiB and about half a second.
    case moderate
    /// 1 GiB and about three seconds.
    case sensitive

    var cost: PasswordCost {
        switch self {
        case .moderate: .moderate
        case .sensitive: .sensitive
        }
    }
}
