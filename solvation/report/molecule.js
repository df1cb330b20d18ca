// Molecules one can turn, on a plain 2-D canvas: depth-sorted, shaded balls and sticks.
// Drag (or arrow keys) turns, wheel with ctrl, pinch or + and - zoom, Home resets, space spins.
"use strict";
(() => {
  const COLORS = {
    H: "#e9edf0", C: "#7c858f", N: "#4468d8", O: "#e0392b", F: "#8fd14f", S: "#e8c11c",
    P: "#f08c2e", Cl: "#37b24d", B: "#f2a58e", Al: "#a9b4bf", Si: "#d9b48f", Mg: "#2fa36b",
    Ca: "#2f8f9d", Li: "#8e5bd0", Na: "#7a5fd0", K: "#6c4fb8", Zn: "#6f7fb0",
  };
  const RADII = { H: 0.26, C: 0.38, N: 0.38, O: 0.40, F: 0.34, S: 0.52, P: 0.52, Cl: 0.50 };
  const ION = 0.78, EYE = 4.2, SLABS = 24;
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

  function mix(color, other, part) {
    const rgb = (c) => [1, 3, 5].map((k) => parseInt(c.slice(k, k + 2), 16));
    const a = rgb(color), b = rgb(other);
    return "#" + a.map((v, k) => Math.round(v + (b[k] - v) * part).toString(16).padStart(2, "0")).join("");
  }

  const sprites = new Map();
  function sprite(element) { // one shaded ball per element, drawn once and scaled
    if (!sprites.has(element)) {
      const size = 128, ball = document.createElement("canvas"), color = COLORS[element] || "#b48ead";
      ball.width = ball.height = size;
      const pen = ball.getContext("2d"), r = size / 2;
      const shade = pen.createRadialGradient(r * 0.68, r * 0.62, r * 0.06, r, r, r);
      shade.addColorStop(0, mix(color, "#ffffff", 0.75));
      shade.addColorStop(0.35, mix(color, "#ffffff", 0.12));
      shade.addColorStop(0.8, mix(color, "#000000", 0.22));
      shade.addColorStop(1, mix(color, "#000000", 0.5));
      pen.fillStyle = shade;
      pen.beginPath();
      pen.arc(r, r, r - 1, 0, 2 * Math.PI);
      pen.fill();
      sprites.set(element, ball);
    }
    return sprites.get(element);
  }

  function rotate(m, ax, ay) { // turn about the screen's x, then y axis
    const [cx, sx, cy, sy] = [Math.cos(ax), Math.sin(ax), Math.cos(ay), Math.sin(ay)];
    const turn = [[cy, sx * sy, cx * sy], [0, cx, -sx], [-sy, sx * cy, cx * cy]];
    return turn.map((row) => [0, 1, 2].map((j) => row[0] * m[0][j] + row[1] * m[1][j] + row[2] * m[2][j]));
  }

  function show(canvas) {
    const scene = JSON.parse(document.getElementById(canvas.dataset.scene).textContent);
    const atoms = scene.kind.length, pen = canvas.getContext("2d");
    const elements = scene.kind.map((k) => scene.kinds[k]);
    const lone = new Uint8Array(atoms).fill(1);
    for (const atom of scene.bonds) lone[atom] = 0;
    const box = scene.edges.length > 0;
    const look = scene.look.length ? scene.look : new Array(atoms).fill(0);
    const radius = elements.map((e, i) => (lone[i] ? ION * (box ? 1.4 : 1) : RADII[e] || 0.45) * (look[i] === 1 ? 0.6 : 1));
    const points = (flat) => Array.from({ length: flat.length / 3 }, (_, i) => flat.slice(3 * i, 3 * i + 3).map((v) => v / 100));
    const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
    const xyz = points(scene.xyz), corners = points(scene.edges);
    const bonds = pairs(scene.bonds), contacts = pairs(scene.contacts);
    const reach = Math.max(2.2, ...(box ? corners : xyz).map((p) => Math.hypot(...p))) + (box ? 0 : 0.5);
    const start = rotate([[1, 0, 0], [0, 1, 0], [0, 0, 1]], box ? 0.32 : 0.5, box ? -0.42 : 0.35);
    let matrix = start, zoom = 1, spin = false, waiting = false;
    const extent = (list, pad) => list.flatMap((q, i) => [Math.abs(q[0]) + pad(i) * q[3], Math.abs(q[1]) + pad(i) * q[3]]);
    const fit = Math.max( // half the picture, in Å, as first seen; a little room to turn
      0.86 * reach,
      ...extent(project(corners, 1, [0, 0]), () => 0), ...extent(box ? [] : project(xyz, 1, [0, 0]), (i) => radius[i]),
    );

    function project(list, scale, half) {
      return list.map(([x, y, z]) => {
        const [u, v, w] = matrix.map((row) => row[0] * x + row[1] * y + row[2] * z);
        const near = EYE / (EYE - w / reach);
        return [half[0] + u * scale * near, half[1] - v * scale * near, w, near * scale];
      });
    }

    function line(a, b, width, color) {
      pen.beginPath();
      pen.moveTo(a[0], a[1]);
      pen.lineTo(b[0], b[1]);
      pen.lineWidth = width;
      pen.strokeStyle = color;
      pen.stroke();
    }

    function stick(i, j, p, width) { // two halves, each in the colour of its atom, with a dark rim
      const a = p[i], b = p[j], middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
      for (const [end, element] of [[a, elements[i]], [b, elements[j]]]) {
        const color = COLORS[element] || "#b48ead";
        line(middle, end, width, mix(color, "#000000", 0.45));
        line(middle, end, width * 0.68, color);
        line(middle, end, width * 0.22, mix(color, "#ffffff", 0.45));
      }
    }

    function draw() {
      waiting = false;
      const ratio = Math.max(1, window.devicePixelRatio || 1);
      const width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width || !height) return;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, height);
      const scale = (0.485 * Math.min(width, height) * zoom) / fit, half = [width / 2, height / 2];
      const p = project(xyz, scale, half), rim = project(corners, scale, half);
      const depth = (w) => clamp(0.5 + (0.5 * w) / reach, 0, 1); // 0 far, 1 near
      const jobs = []; // [depth, function]
      pen.lineCap = "round";
      for (let k = 0; k < rim.length; k += 2) {
        const [a, b] = [rim[k], rim[k + 1]], w = (a[2] + b[2]) / 2;
        jobs.push([w, () => { pen.globalAlpha = 0.25 + 0.45 * depth(w); line(a, b, 1, "#8894a0"); }]);
      }
      const slabs = Array.from({ length: SLABS }, () => []); // the solvent, by depth: few strokes
      for (const [i, j] of bonds) {
        const w = (p[i][2] + p[j][2]) / 2;
        if (look[i] === 2) {
          slabs[Math.min(SLABS - 1, Math.floor(depth(w) * SLABS))].push([p[i], p[j]]);
          continue;
        }
        const thin = look[i] === 1;
        jobs.push([w, () => {
          pen.globalAlpha = thin ? 0.35 + 0.65 * depth(w) : 1;
          stick(i, j, p, Math.max(1.2, (thin ? 0.24 : 0.2) * p[i][3]));
        }]);
      }
      slabs.forEach((slab, k) => {
        const near = (k + 0.5) / SLABS;
        if (slab.length) jobs.push([reach * (2 * near - 1), () => {
          pen.globalAlpha = 0.22 + 0.5 * near;
          pen.lineWidth = Math.max(0.9, 0.11 * slab[0][0][3]);
          pen.strokeStyle = "#8a96a3";
          pen.beginPath();
          for (const [a, b] of slab) { pen.moveTo(a[0], a[1]); pen.lineTo(b[0], b[1]); }
          pen.stroke();
        }]);
      });
      for (const [i, j] of contacts) {
        jobs.push([(p[i][2] + p[j][2]) / 2, () => {
          pen.globalAlpha = 0.9;
          pen.setLineDash([4, 4]);
          line(p[i], p[j], 1.6, "#8894a0");
          pen.setLineDash([]);
        }]);
      }
      for (let i = 0; i < atoms; i += 1) {
        if (look[i] === 2 && !lone[i]) continue;
        jobs.push([p[i][2] + 0.05, () => {
          const r = radius[i] * p[i][3];
          pen.globalAlpha = look[i] === 1 ? 0.35 + 0.65 * depth(p[i][2]) : 1;
          pen.drawImage(sprite(elements[i]), p[i][0] - r, p[i][1] - r, 2 * r, 2 * r);
        }]);
      }
      jobs.sort((a, b) => a[0] - b[0]);
      for (const job of jobs) job[1]();
      pen.globalAlpha = 1;
      if (spin) { matrix = rotate(matrix, 0, 0.008); ask(); }
    }

    function ask() {
      if (!waiting) { waiting = true; requestAnimationFrame(draw); }
    }
    function turn(ax, ay) { matrix = rotate(matrix, ax, ay); ask(); }
    function scaleBy(factor) { zoom = clamp(zoom * factor, 0.4, 6); ask(); }
    function setSpin(on) {
      spin = on;
      if (button) { button.setAttribute("aria-pressed", String(on)); }
      ask();
    }

    const touches = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      touches.set(event.pointerId, [event.clientX, event.clientY]);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = touches.get(event.pointerId);
      if (!last) return;
      const now = [event.clientX, event.clientY];
      if (touches.size === 2) {
        const other = [...touches].find(([id]) => id !== event.pointerId)[1];
        const gap = (q) => Math.hypot(q[0] - other[0], q[1] - other[1]);
        scaleBy(gap(now) / Math.max(gap(last), 1));
      } else {
        turn((now[1] - last[1]) * 0.01, (now[0] - last[0]) * 0.01);
      }
      touches.set(event.pointerId, now);
    });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(kind, (event) => touches.delete(event.pointerId));
    }
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // the plain wheel scrolls the page
      event.preventDefault();
      scaleBy(Math.exp(-event.deltaY * 0.004));
    }, { passive: false });
    const keys = {
      ArrowLeft: () => turn(0, -0.15), ArrowRight: () => turn(0, 0.15),
      ArrowUp: () => turn(-0.15, 0), ArrowDown: () => turn(0.15, 0),
      "+": () => scaleBy(1.15), "=": () => scaleBy(1.15), "-": () => scaleBy(1 / 1.15),
      Home: () => { matrix = start; zoom = 1; ask(); }, " ": () => setSpin(!spin),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    const button = document.querySelector(`button[data-spin="${canvas.id}"]`);
    if (button) button.addEventListener("click", () => setSpin(!spin));
    new ResizeObserver(ask).observe(canvas);
    draw();
  }

  for (const canvas of document.querySelectorAll("canvas[data-scene]")) show(canvas);
  const folds = [...document.querySelectorAll("details:not([open])")];
  window.addEventListener("beforeprint", () => folds.forEach((fold) => { fold.open = true; }));
  window.addEventListener("afterprint", () => folds.forEach((fold) => { fold.open = false; }));
})();
