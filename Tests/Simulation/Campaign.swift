import CCampaignSodium
import Glibc
import Sealing
import Threading

/// Many seeds, in one process for each core.
struct Campaign {
    private static let deterministicHashing = "SWIFT_DETERMINISTIC_HASHING"
    /// One in so many seeds is run twice, to see that it is the same run.
    private static let replayRate: UInt64 = 50

    let arguments: [String]
    private var boundsSize: Bool { arguments.contains("--size-bound") }
    private var mutant: Mutant? {
        guard let place = arguments.firstIndex(of: "--mutant"), place + 1 < arguments.count else { return nil }
        return Mutant(rawValue: arguments[place + 1])
    }

    /// Dictionaries must be in the same order in each process, which the Swift runtime decides when it starts.
    func hashAlike() {
        guard unsafe getenv(Campaign.deterministicHashing) == nil else { return }
        unsafe setenv(Campaign.deterministicHashing, "1", 1)
        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        unsafe execv("/proc/self/exe", &words)
        print("the program cannot be started anew")
        exit(1)
    }

    // MARK: In this process

    func runOne(_ seed: UInt64, isTraced: Bool) {
        let (run, folder) = prepare()
        defer { Folder.remove(folder) }
        let (tally, digest) = run(seed, isTraced)
        print(tally.text)
        guard run(seed, isTraced).digest == digest else { Violation.report("the same seed made another run") }
        print("seed \(seed) holds; digest \(String(digest, radix: 16))")
    }

    /// Every `step`th seed; tells the calling process how far it is.
    func runPart(first: UInt64, count: UInt64, step: UInt64) {
        let (run, folder) = prepare()
        defer { Folder.remove(folder) }
        var total = Tally()
        for seed in stride(from: first, to: first + count, by: Int(step)) {
            print("begin \(seed)")
            fflush(nil)
            let (tally, digest) = run(seed, false)
            total.add(tally)
            guard seed % Campaign.replayRate == 0 else { continue }
            guard run(seed, false).digest == digest else { Violation.report("the same seed made another run") }
            total[.replays] += 1
        }
        print("tally \(total.text)")
    }

    private func prepare() -> (run: (UInt64, Bool) -> (tally: Tally, digest: UInt64), folder: String) {
        let shared = "/dev/shm"
        let parent = unsafe access(shared, W_OK) == 0 ? shared : "/tmp"
        let folder = "\(parent)/holdfast-simulation-\(getpid())"
        Randomness.install()
        // Starting draws random numbers, which must not be those of the first seed.
        holdfast_use_campaign_sodium()
        Sodium.prepare()
        let baton = Baton()
        unsafe ThreadScheduling.scheduler = baton
        let (boundsSize, mutant) = (boundsSize, mutant)
        return (
            { seed, isTraced in
                Run(seed: seed, baton: baton, options: Run.Options(isTraced: isTraced, mutant: mutant, boundsSize: boundsSize, folder: folder))()
            }, folder
        )
    }

    // MARK: Mutants

    /// Each broken rule must be seen within so many seeds.
    func catchMutants(seedCount: UInt64) {
        var hasFailed = false
        for mutant in Mutant.allCases where mutant != Mutant.rare {
            guard let output = unsafe popen("exec '\(programPath())' --part \(seedCount) --mutant \(mutant.rawValue)", "r") else { exit(1) }
            var violation: String?
            var line = [CChar](repeating: 0, count: 65_536)
            while unsafe fgets(&line, Int32(line.count), output) != nil {
                let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if text.hasPrefix("violation ") { violation = text }
            }
            unsafe pclose(output)
            if violation == nil { hasFailed = true }
            print("\(mutant.rawValue): \(violation ?? "not caught in \(seedCount) seeds")")
            fflush(nil)
        }
        exit(hasFailed ? 1 : 0)
    }

    // MARK: In several

    func runAll(first: UInt64, count: UInt64) {
        let start = time(nil)
        let processCount = UInt64(usableCoreCount())
        var parts: [UnsafeMutablePointer<FILE>] = unsafe []
        let program = programPath()
        for part in 0..<processCount {
            // New processes now and then: what a thousand dead clients leave in memory is some gigabytes.
            let run = "'\(program)' --part $((n - \(part))) --first $((b + \(first + part))) --step \(processCount)" + (boundsSize ? " --size-bound" : "")
            let command = "b=0; while [ $b -lt \(count) ]; do n=$((\(count) - b)); [ $n -le 128 ] || n=128; [ $n -gt \(part) ] || break; \(run) || exit 1; b=$((b + 128)); done"
            guard let output = unsafe popen(command, "r") else {
                print("no process can be started")
                exit(1)
            }
            unsafe parts.append(output)
        }
        var total = Tally()
        var hasFailed = false
        for unsafe output in unsafe parts {
            var last = ""
            var line = [CChar](repeating: 0, count: 65_536)
            while unsafe fgets(&line, Int32(line.count), output) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if text.hasPrefix("begin ") {
                    last = String(text.dropFirst(6).prefix { $0 != "\n" })
                } else if text.hasPrefix("tally ") {
                    total.add(Tally(parsing: text.dropFirst(6).prefix { $0 != "\n" }))
                } else {
                    print(text, terminator: "")
                }
            }
            guard unsafe pclose(output) != 0 else { continue }
            hasFailed = true
            print("a process ended at seed \(last)")
        }
        print(total.text.split(separator: " ").joined(separator: "\n"))
        print("\(total[.seeds]) seeds in \(time(nil) - start) s")
        if !hasFailed, total[.seeds] != Int(count) {
            hasFailed = true
            print("that is not all")
        }
        if !hasFailed {
            for shortfall in total.shortfalls {
                hasFailed = true
                print("too little happened: \(shortfall)")
            }
        }
        print(hasFailed ? "failed" : "all hold")
        exit(hasFailed ? 1 : 0)
    }

    private func programPath() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
