/** @file What to do where a page cannot reach a teacher: the browser asks a server only if that allows this page's origin. */
import type { VNode } from "preact";

/** Help for servers on this machine and elsewhere, folded away. */
export function ReachHelp(): VNode {
  const { origin, protocol } = location;
  return (
    <details class="reach">
      <summary>If the teacher cannot be reached</summary>
      <p>A browser asks a server only if that server allows the page's origin, here {origin} (CORS).</p>
      <ul>
        <li>
          Ollama: start it with <code>OLLAMA_ORIGINS={origin} ollama serve</code>.
        </li>
        <li>
          LM Studio: switch on <em>Enable CORS</em> in the server's settings, or <code>lms server start --cors</code>.
        </li>
        <li>llama.cpp and tutelage serve-teacher allow every page; so do OpenAI, Anthropic and Google.</li>
        <li>
          vLLM: <code>{`--allowed-origins '["${origin}"]'`}</code>.
        </li>
        <li>
          A page over https may ask http only at localhost and 127.0.0.1
          {protocol === "https:" ? ", and this page is over https" : ""}: for another machine put https in front of the
          server, for example <code>caddy reverse-proxy --from teacher.example --to :11434</code>.
        </li>
      </ul>
    </details>
  );
}
