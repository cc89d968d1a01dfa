require ["body"]; if body "x" {} if body :raw :contains "y" {} if body :content ["text/plain","image"] :matches "z" {} if body :text "q" {}
