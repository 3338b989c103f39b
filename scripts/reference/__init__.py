"""The pages of the documentation that are made from the code. Called by ``scripts/generate-docs`` only.

One module per page, each with ``render() -> str``. Rule: a page says nothing that its source does not
say; what people should know beyond it goes into the source, or into ``explanations.yml``.
"""
