/** @file A drawer over the page: a modal dialog at its side. Escape, a press beside it, and Close all end it; the address says that it is open. */
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface DrawerProps {
  readonly title: string;
  readonly banners: ComponentChildren;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Stays visible below what scrolls. */
  readonly foot?: ComponentChildren;
}

/** An open drawer; leave it out of the tree to close it. */
export function DrawerView({ title, banners, onClose, children, foot }: DrawerProps): VNode {
  const ref = useRef<HTMLDialogElement>(null);
  // At once, both ways: a key pressed a frame after the drawer has gone belongs to what had the focus before.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      class="drawer"
      ref={ref}
      aria-labelledby="drawer-title"
      onCancel={(event) => {
        // Closed by the address alone, so that Back and Escape are the same.
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div class="drawer-box">
        <header class="drawer-head">
          <h2 id="drawer-title">{title}</h2>
          <button type="button" class="quiet" onClick={onClose}>
            Close
          </button>
        </header>
        <div class="drawer-body" tabIndex={0}>
          {banners}
          {children}
        </div>
        {foot !== undefined && <footer class="drawer-foot">{foot}</footer>}
      </div>
    </dialog>
  );
}
