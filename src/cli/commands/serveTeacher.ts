/** @file `tutelage serve-teacher`: the built-in teacher for every client that speaks OpenAI's protocol, with faults on purpose. */
import { badInput } from "../../core/errors.ts";
import { createTask, taskNames } from "../../tasks/registry.ts";
import { DEFAULT_EXPERIMENT } from "../../loop/defaults.ts";
import { COMMON_FAULTS, FAULTS } from "../../teacher/node/faults.ts";
import type { FaultName } from "../../teacher/node/faults.ts";
import { SERVED_MODEL, startTeacherServer } from "../../teacher/node/teacherServer.ts";
import type { Command } from "../command.ts";
import { withInterrupt } from "../interrupt.ts";
import { helpText, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";

const DEFAULT_PORT = 8790;
const KEY_VARIABLE = "TUTELAGE_SERVER_KEY";
const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** Those that have an exact solver: nothing built in answers a user's own questions. */
const TASKS = taskNames.filter((name) => name !== "custom");

const OPTIONS: OptionSpecs = {
  task: { value: TASKS.join("|"), description: "task it teaches", default: DEFAULT_EXPERIMENT.task.name },
  host: { value: "ADDRESS", description: "address to listen at; 0.0.0.0 is all", default: "127.0.0.1" },
  port: { value: "N", description: "port; 0 is any free one", default: String(DEFAULT_PORT) },
  "wrong-rate": { value: "X", description: "share of its pairs that are wrong", default: "0" },
  "malformed-rate": {
    value: "X",
    description: "share of its replies that are no JSON where JSON is due",
    default: "0",
  },
  "fail-rate": { value: "X", description: "share of requests that end in a fault", default: "0" },
  faults: { value: "NAME,…", description: "faults that are played, each as often", default: COMMON_FAULTS.join(",") },
  "retry-after": { value: "SECONDS", description: "what a played 429 asks to wait", default: "1" },
  latency: { value: "MS", description: "mean delay of a reply", default: "0" },
  "rate-limit": { value: "N", description: "requests per minute; more get status 429 (default: no limit)" },
};

function faultsOf(text: string): readonly FaultName[] {
  return text.split(",").map((name) => {
    const found = FAULT_NAMES.find((fault) => fault === name.trim());
    return found ?? badInput("--faults", `names among ${FAULT_NAMES.join(", ")}`, JSON.stringify(name));
  });
}

export const serveTeacherCommand: Command = {
  name: "serve-teacher",
  summary: "Serve the built-in teacher over HTTP, as OpenAI's API, without a key.",
  help: () =>
    helpText(
      "tutelage serve-teacher [options]",
      `Answers POST /v1/chat/completions (streamed too), GET /v1/models; the model is "${SERVED_MODEL}". Any page may ask it (CORS). Runs until it is interrupted, then prints what it served.`,
      OPTIONS,
      [
        "Faults:",
        ...FAULT_NAMES.map((name) => `  ${name.padEnd(12)}${FAULTS[name]}`),
        "",
        `With ${KEY_VARIABLE} in the environment, requests must carry that key.`,
      ].join("\n"),
    ),
  async run(args, streams) {
    const options = Options.parse("serve-teacher", args, OPTIONS);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const share = (name: string): number => options.number(name, { min: 0, max: 1 });
    const key = process.env[KEY_VARIABLE];
    const host = options.requiredText("host");
    const server = await startTeacherServer(createTask(options.choice("task", TASKS)), {
      host,
      port: options.integer("port", { min: 0, max: 65_535 }),
      wrongRate: share("wrong-rate"),
      malformedRate: share("malformed-rate"),
      failRate: share("fail-rate"),
      faults: faultsOf(options.requiredText("faults")),
      retryAfterSeconds: options.number("retry-after", { min: 0 }),
      latencyMs: options.number("latency", { min: 0, max: 600_000 }),
      rateLimit: options.given("rate-limit") ? options.integer("rate-limit", { min: 1 }) : undefined,
      seed: options.integer("seed"),
      ...(key === undefined || key === "" ? {} : { key }),
    });
    try {
      output.record(
        { type: "serving", url: server.url, model: SERVED_MODEL },
        `serving ${SERVED_MODEL} at ${server.url}`,
      );
      output.note(`ask it: tutelage loop --teacher openai --teacher-url ${server.url} --teacher-model ${SERVED_MODEL}`);
      await withInterrupt(
        (signal) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
      );
    } finally {
      await server.close();
    }
    const { requests, answered, refused, faults } = server.counts;
    const played = Object.entries(faults).map(([name, count]) => `${count} × ${name}`);
    output.record(
      { type: "served", ...server.counts },
      `${requests} requests: ${answered} answered, ${refused} refused${played.length === 0 ? "" : `, faults: ${played.join(", ")}`}`,
    );
  },
};
