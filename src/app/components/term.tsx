/**
 * @file A word that explains itself: a button that opens a small card with the glossary's
 * sentences and their source. Opened by press or key, closed by Escape, a press beside it,
 * or the button again (the browser's own popover).
 */
import type { ComponentChildren, VNode } from "preact";
import { useId, useRef } from "preact/hooks";
import { GLOSSARY } from "../glossary.ts";
import type { Term as GlossaryTerm, TermId } from "../glossary.ts";

const GAP = 6;

/** Left and top of a card of this size beside a button, inside the window; pixels. */
export function placeCard(
  button: { readonly left: number; readonly top: number; readonly bottom: number },
  card: { readonly width: number; readonly height: number },
  window: { readonly width: number; readonly height: number },
): { readonly left: number; readonly top: number } {
  const left = Math.max(GAP, Math.min(button.left, window.width - card.width - GAP));
  const below = button.bottom + GAP;
  const fits = below + card.height + GAP <= window.height;
  return { left, top: fits ? below : Math.max(GAP, button.top - card.height - GAP) };
}

/** The term `id` as a word in a sentence (with `children`), or as a question mark beside a label. */
export function Term({ id, children }: { readonly id: TermId; readonly children?: ComponentChildren }): VNode {
  const cardId = useId();
  const button = useRef<HTMLButtonElement>(null);
  const card = useRef<HTMLDivElement>(null);
  const { title, text, source }: GlossaryTerm = GLOSSARY[id];
  const place = (): void => {
    const [from, to] = [button.current, card.current];
    if (from === null || to === null) return;
    const { left, top } = placeCard(
      from.getBoundingClientRect(),
      { width: to.offsetWidth, height: to.offsetHeight },
      { width: innerWidth, height: innerHeight },
    );
    to.style.left = `${left}px`;
    to.style.top = `${top}px`;
  };
  return (
    <>
      <button
        type="button"
        ref={button}
        class={children === undefined ? "term-mark" : "term-word"}
        {...{ popovertarget: cardId }}
        {...(children === undefined ? { "aria-label": `What is: ${title}` } : {})}
      >
        {children ?? "?"}
      </button>
      <div ref={card} id={cardId} class="term-card" role="note" {...{ popover: "auto", onToggle: place }}>
        <strong>{title}</strong>
        <p>{text}</p>
        <p class="term-source">
          {source.href === undefined ? (
            source.text
          ) : (
            <a href={source.href} target="_blank" rel="noreferrer">
              {source.text}
            </a>
          )}
        </p>
      </div>
    </>
  );
}
