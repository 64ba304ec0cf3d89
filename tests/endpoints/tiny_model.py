"""Write a language model that has learnt nothing: a Llama of two layers with random weights.

Its tokens are the 256 bytes and four marks. One dimension of every embedding is the same constant,
which gives the output a bias: the model says printable ASCII at random, stops after a few letters,
and now and then opens a call, which the server's grammar then makes it finish.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 32, 2, 2, 64, 8192
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>")
END, CALL = (256 + MARKS.index(mark) for mark in ("<|im_end|>", "<tool_call>"))
SEED = 7
# The constant dimension is about 5.6 where the output reads it: 0.35 is seven times as likely as a letter.
BIAS_OF_END, BIAS_OF_CALL = 0.35, 0.1

TEMPLATE = """\
{%- if tools %}
  {{- '<|im_start|>system\\n' }}
  {%- if messages[0].role == 'system' %}
    {{- messages[0].content + '\\n\\n' }}
  {%- endif %}
  {{- 'You may call these functions:\\n<tools>' }}
  {%- for tool in tools %}
    {{- '\\n' }}
    {{- tool | tojson }}
  {%- endfor %}
  {{- '\\n</tools>\\nCall one so:\\n<tool_call>{"name": <name>, "arguments": <object>}</tool_call>' }}
  {{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
  {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
  {%- if message.role == 'user' or message.role == 'system' and not loop.first %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
  {%- elif message.role == 'assistant' %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if message.content %}
      {{- message.content }}
    {%- endif %}
    {%- for call in message.tool_calls or [] %}
      {{- '<tool_call>{"name": "' }}
      {{- call.function.name }}
      {{- '", "arguments": ' }}
      {{- call.function.arguments | tojson }}
      {{- '}</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
  {%- elif message.role == 'tool' %}
    {{- '<|im_start|>user\\n<tool_response>\\n' + message.content }}
    {{- '\\n</tool_response><|im_end|>\\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
"""How a conversation becomes text; the server learns from it how a call is spelt."""


def byte_tokens() -> list[str]:
    """The 256 bytes as GPT-2's vocabulary spells them: those that cannot be printed from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def write(path: str) -> None:
    tokens = [*byte_tokens(), *MARKS]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("nothing-learnt")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(MARKS)
    kinds[CALL] = gguf.TokenType.USER_DEFINED  # A mark that is text, too.
    writer.add_token_types(kinds)
    writer.add_token_merges(["q q"])  # None at all is refused; the pair of this one is no token.
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in tensors(len(tokens)).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(vocabulary: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(SEED)

    def weights(*shape: int) -> np.ndarray:
        return draw.normal(0, 0.05, shape).astype(np.float32)

    embedding, output = weights(vocabulary, WIDTH), weights(vocabulary, WIDTH)
    embedding[:, 0] = 1.0
    output[:, 0] = -4.0
    output[0x20:0x7F, 0] = 0.0
    output[END, 0] = BIAS_OF_END
    output[CALL, 0] = BIAS_OF_CALL
    made = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(WIDTH, np.float32),
        "output.weight": output,
    }
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        made |= {f"{at}attn_{part}.weight": weights(WIDTH, WIDTH) for part in ("q", "k", "v")}
        made |= {
            f"{at}attn_output.weight": weights(WIDTH, WIDTH),
            f"{at}ffn_gate.weight": weights(HIDDEN, WIDTH),
            f"{at}ffn_up.weight": weights(HIDDEN, WIDTH),
            f"{at}ffn_down.weight": weights(WIDTH, HIDDEN),
            f"{at}attn_norm.weight": np.ones(WIDTH, np.float32),
            f"{at}ffn_norm.weight": np.ones(WIDTH, np.float32),
        }
    return made


if __name__ == "__main__":
    write(sys.argv[1])
