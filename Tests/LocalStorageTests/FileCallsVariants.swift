import CLinux
import Glibc
@testable import LocalStorage

extension FileCalls {
    /// The live calls of a file system that has no O_TMPFILE and perhaps no O_DIRECT.
    static func withoutNamelessFiles(directOpens: Bool = true) -> FileCalls {
        var calls = FileCalls.live
        calls.open = { path, flags, mode throws(ErrorNumber) in
            if flags & holdfast_o_tmpfile == holdfast_o_tmpfile { throw ErrorNumber(code: EOPNOTSUPP) }
            if !directOpens, flags & holdfast_o_direct != 0 { throw ErrorNumber(code: EINVAL) }
            return try FileCalls.live.open(path, flags, mode)
        }
        return calls
    }
}
